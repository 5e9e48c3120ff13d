import { oneLine } from '../../runtime/quote.ts';
import { toIsoSeconds } from '../sql/time.ts';

/**
 * The notes that people and tools search for, worded as the system before this one wrote them. They
 * are appended to a bead's `notes`, one line each.
 */

export const CLAIMED_PREFIX = 'auto-dispatcher claimed at ';
export const claimedNote = (at: Date) => CLAIMED_PREFIX + toIsoSeconds(at);

export const dispatchedNote = (job: string) => `dispatched: job=${job}`;
/** No job of the claim that has taken its place, so that it must not read like one. */
export const supersededNote = (job: string) =>
  `dispatched: job=${job} by an earlier claim; the bead was reopened while BeadBoard was asked`;

/** A job of the agent service, and who said that it works on the bead. */
export interface Job {
  id: string;
  from: 'beadboard' | 'agent';
}

/**
 * Becomes part of notes, cells and addresses, so that nothing else passes for one; `..` would be a
 * path.
 */
export const JOB_ID = /^\w[\w.-]{0,127}$/;
const DISPATCHED_NOTE = /^dispatched: job=(\S+)$/gm;
/**
 * The agent's first act; BeadBoard's prompt does not tell it the id, so that it may be anything.
 */
const AGENT_NOTE = /^claimed by agent ([0-9a-f]{12})$/gm;

/**
 * The job that works on a bead: BeadBoard's word if there is one, else the agent's, which is known
 * even when BeadBoard's answer was lost.
 * @param notesSinceClaim what follows the last line that begins with {@link CLAIMED_PREFIX}.
 */
export function jobIn(notesSinceClaim: string): Job | undefined {
  const named = [...notesSinceClaim.matchAll(DISPATCHED_NOTE)].at(-1)?.[1];
  if (named !== undefined && JOB_ID.test(named)) return { id: named, from: 'beadboard' };
  const noted = [...notesSinceClaim.matchAll(AGENT_NOTE)].at(-1)?.[1];
  return noted === undefined ? undefined : { id: noted, from: 'agent' };
}

/** @param httpStatus `undefined` when there was no answer to have one. */
export const failedNote = (reason: string, httpStatus: number | undefined) =>
  httpStatus === undefined
    ? `dispatch failed: ${oneLine(reason)}`
    : `dispatch failed HTTP ${httpStatus}: ${oneLine(reason)}`;

/** There was no room: BeadBoard's 409, and the agent service's 429, which arrives as a 502. */
export const BUSY_NOTE = /^dispatch failed HTTP (409|502): .*(agent is busy|queue full)/i;

/** Of a claim whose dispatcher did not live to record the answer. */
export const DIED = 'the dispatcher died before it had the answer';

export const unconfirmedNote = (reason: string) => `dispatch outcome unknown: ${oneLine(reason)}`;

/** Nothing was asked of anybody; it counts for nothing. */
export const withdrawnNote = (reason: string) => `dispatch withdrawn: ${oneLine(reason)}`;

export const givenUpNote = (attempts: number) => `dispatch given up after ${attempts} attempts`;

export const releasedNote = () => 'reaper: claimed but never handed out — open again';

/** @param evidence what the agent service said of the job, where it was asked. */
export const reapedNote = (ageMinutes: number, thresholdMinutes: number, evidence?: string) =>
  `reaper: no progress for ${ageMinutes}m (threshold ${thresholdMinutes}m) — blocking${
    evidence === undefined ? '' : `: ${oneLine(evidence)}`
  }`;

/**
 * bd joins notes with a newline and starts an empty field without one.
 * @returns what is appended.
 */
export const appendix = (isFirst: boolean, note: string) => (isFirst ? note : `\n${note}`);
