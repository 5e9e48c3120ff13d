import * as z from 'zod';

import type { OutboxEntry } from '../beads/rows/outbox.ts';
import { parseJson } from '../runtime/json.ts';
import { count, seconds, utc } from './fields.ts';

/** An event that waits for the sink: a row of `kn beads outbox -o json`. */
export const waitingEvent = z.object({
  id: z.string().describe("The event's id."),
  type: z.string(),
  subject: z.string(),
  key: z.string().describe('For `kn beads outbox drop`.'),
  tries: count.describe('How often the sink has refused it.'),
  problem: z.string().nullable().describe('What the sink last said; null before its first try.'),
  retryAt: utc.nullable(),
  ageSeconds: seconds,
});
export type WaitingEvent = z.output<typeof waitingEvent>;

/** What is no event at all has empty fields. Pure. */
export function waitingEventOf(entry: OutboxEntry): WaitingEvent {
  const event = parseJson(entry.event);
  const text = (name: string) =>
    typeof event === 'object' && event !== null ? String(Reflect.get(event, name) ?? '') : '';
  const { key, tries, problem, retryAt, ageSeconds } = entry;
  return {
    id: text('id'),
    type: text('type'),
    subject: text('subject'),
    key,
    tries,
    problem: problem ?? null,
    retryAt: retryAt?.toISOString() ?? null,
    ageSeconds,
  };
}
