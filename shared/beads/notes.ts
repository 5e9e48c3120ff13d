import { toIsoSeconds } from './time.ts';

/**
 * The notes that people and tools search for, worded as the system before this one wrote them. They
 * are appended to a bead's `notes`, one line each.
 */

/** Longest piece of an answer or a reason that is repeated in a note, in characters. */
const QUOTE_CHARACTERS = 500;

export const CLAIMED_PREFIX = 'auto-dispatcher claimed at ';
export const claimedNote = (at: Date) => CLAIMED_PREFIX + toIsoSeconds(at);

export const dispatchedNote = (job: string) => `dispatched: job=${job}`;

/** @param httpStatus `undefined` when there was no answer to have one. */
export const failedNote = (reason: string, httpStatus: number | undefined) =>
  httpStatus === undefined
    ? `dispatch failed: ${oneLine(reason)}`
    : `dispatch failed HTTP ${httpStatus}: ${oneLine(reason)}`;

/** There was no room: BeadBoard's 409, and the agent service's 429, which arrives as a 502. */
export const BUSY_NOTE = /^dispatch failed HTTP (409|502): .*(agent is busy|queue full)/i;

export const unconfirmedNote = (reason: string) => `dispatch outcome unknown: ${oneLine(reason)}`;

export const givenUpNote = (attempts: number) => `dispatch given up after ${attempts} attempts`;

export const releasedNote = () => 'reaper: claimed but never handed out — open again';

/** @param evidence what the agent service said of the job, where it was asked. */
export const reapedNote = (ageMinutes: number, thresholdMinutes: number, evidence?: string) =>
  `reaper: no progress for ${ageMinutes}m (threshold ${thresholdMinutes}m) — blocking${
    evidence === undefined ? '' : `: ${oneLine(evidence)}`
  }`;

/** What a service may repeat of the credentials it was sent. */
const CREDENTIAL =
  /\b(bearer\s+|(?:token|password|secret|api[-_]?key)["']?\s*[:=]\s*["']?)[^\s"',;&]+/gi;

/** One line without control characters and credentials, at most 500 characters long. */
export function oneLine(text: string): string {
  const flat = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .replace(CREDENTIAL, '$1[secret]');
  return Array.from(flat).slice(0, QUOTE_CHARACTERS).join('');
}

/** bd joins notes with a newline and starts an empty field without one. */
export function appendNote(notes: string, note: string): string {
  return notes === '' ? note : `${notes}\n${note}`;
}
