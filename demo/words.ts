import { styleText } from 'node:util';

import type { SunkEvent } from '../test/world/sink.ts';

/** Events and beads in the words that demo and dev print. */

const COLOURS = {
  claimed: 'cyan',
  dispatched: 'green',
  failed: 'yellow',
  unconfirmed: 'magenta',
  blocked: 'red',
  released: 'yellow',
  completed: 'green',
  opened: 'red',
  closed: 'green',
} as const;

/** What the notifier sends to a person. */
export const messageLine = (title: string) => `${styleText('bold', '   → message')}  ${title}`;

type Data = Readonly<Record<string, unknown>>;

/** One event as a line: its type in colour, then what its data adds. */
export function eventLine(event: SunkEvent): string {
  const type = event.type.replace('io.beads.', '');
  const verb = type.split('.')[1] ?? '';
  const colour = Object.entries(COLOURS).find(([name]) => name === verb)?.[1] ?? 'white';
  const data: Data = typeof event.data === 'object' && event.data !== null ? { ...event.data } : {};
  return `${styleText(colour, type.padEnd(24))} ${detailOf(data)}`.trimEnd();
}

function detailOf(data: Data): string {
  const { outcome, by } = data;
  if (typeof outcome === 'string') return typeof by === 'string' ? `${outcome} by ${by}` : outcome;
  const { jobId, reason, nextAttemptAt, ageMinutes, attempts, attempt, message } = data;
  if (typeof ageMinutes === 'number') return `no progress for ${ageMinutes} minutes`;
  if (typeof jobId === 'string') return `job ${jobId}`;
  if (typeof attempts === 'number') return `given up after ${attempts} attempts`;
  if (typeof nextAttemptAt === 'string') {
    return `${String(reason)}; next attempt at ${nextAttemptAt.slice(11, 19)}`;
  }
  if (typeof reason === 'string') return reason;
  if (typeof message === 'string') return message;
  return typeof attempt === 'number' ? `attempt ${attempt}` : '';
}

/** A bead's newest note. */
export function lastNote(notes: string): string {
  return notes.split('\n').at(-1) ?? '';
}
