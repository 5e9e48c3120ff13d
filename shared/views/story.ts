import * as z from 'zod';

import { transitionIn, type PastChange } from '../beads/rows/past-change.ts';
import { count, seconds, utc } from './fields.ts';

/** The story of one bead: the shape of `kn beads history -o json`. */
export const storyView = z.object({
  id: z.string(),
  attempts: count.describe('Claims of these functions.'),
  seconds: seconds
    .nullable()
    .describe('From its assignment to the agent to its close; null while it is open.'),
  lines: z.array(
    z.object({
      at: utc,
      gapSeconds: seconds.describe('Since the line before.'),
      actor: z.string(),
      what: z.string(),
      traceId: z
        .string()
        .nullable()
        .describe("Of the tick, as in its log and in its event; null for what is not a tick's."),
    }),
  ),
});
export type StoryView = z.output<typeof storyView>;

/**
 * @param changes of one bead, the oldest first. Pure.
 * @param sentinel from its assignment to whom the time is counted; from its creation for a bead that
 *   was made for it.
 * @param traces of ticks, by the id of the change.
 */
export function storyOf(
  id: string,
  changes: readonly PastChange[],
  sentinel: string,
  traces: ReadonlyMap<string, string>,
): StoryView {
  const lines = changes.map((change, index) => ({
    at: change.at.toISOString(),
    gapSeconds: gap(changes[index - 1]?.at, change.at),
    actor: change.actor,
    what: whatIn(change),
    traceId: traces.get(change.id) ?? null,
  }));
  const assigned = changes.find(({ assignee }) => assignee === sentinel) ?? changes[0];
  const closed = changes.findLast(({ type, status }) => type === 'closed' || status === 'closed');
  return {
    id,
    attempts: changes.filter((change) => transitionIn(change) === 'claimed').length,
    seconds: assigned === undefined || closed === undefined ? null : gap(assigned.at, closed.at),
    lines,
  };
}

function gap(from: Date | undefined, to: Date): number {
  return from === undefined ? 0 : Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
}

/** What happened, in the words of the note where there is one. */
export function whatIn(change: PastChange): string {
  const { type, status, assignee, note } = change;
  if (type === 'created') return 'created';
  // Its note has nothing but the time.
  if (transitionIn(change) === 'claimed') return 'claimed';
  if (type === 'closed') return 'closed';
  const parts = [
    ...(assignee === undefined
      ? []
      : [assignee === '' ? 'assigned to nobody' : `assigned to ${assignee}`]),
    ...(note === undefined ? [] : [note]),
    ...(status === undefined ? [] : [`→ ${status}`]),
  ];
  return parts.length === 0 ? type : parts.join(' ');
}
