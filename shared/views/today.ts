import * as z from 'zod';

import { TRANSITION_NAMES } from '../beads/rows/claim-marker.ts';
import { transitionIn, type PastChange } from '../beads/rows/past-change.ts';
import { count, utc } from './fields.ts';
import { whatIn } from './story.ts';

/** What the functions did in some time: the shape of `kn beads today -o json`. */
export const todayView = z.object({
  since: z.string().describe('As it was asked for, such as 1d.'),
  counts: z.partialRecord(z.enum(TRANSITION_NAMES), count),
  transitions: z.array(z.object({ at: utc, id: z.string(), actor: z.string(), what: z.string() })),
});
export type TodayView = z.output<typeof todayView>;

/** @param changes by these functions, the oldest first. Pure. */
export function todayOf(since: string, changes: readonly PastChange[]): TodayView {
  const counts: TodayView['counts'] = {};
  for (const change of changes) {
    const name = transitionIn(change);
    if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  }
  return {
    since,
    counts,
    transitions: changes.map((change) => ({
      at: change.at.toISOString(),
      id: change.beadId,
      actor: change.actor,
      what: whatIn(change),
    })),
  };
}
