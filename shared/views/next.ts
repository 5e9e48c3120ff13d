import * as z from 'zod';

import type { Snapshot } from '../beads/snapshot.ts';
import { nextTick, type Surroundings } from '../rules/next-tick.ts';
import type { Policy } from '../rules/policy.ts';
import { skip, SKIP_CODES, type Skipped } from '../rules/reasons.ts';
import { utc } from './fields.ts';

/** The one target that there is. */
const TARGET = 'beadboard';

/** What the next tick does: the shape of `kn beads next -o json`. */
export const nextView = z.object({
  paused: z.boolean().describe('Whether PAUSED is set here; then the tick does nothing.'),
  dispatch: z
    .array(z.object({ id: z.string(), attempt: z.int().min(1), target: z.string() }))
    .describe('In the order in which they go, as long as each is accepted.'),
  skipped: z.array(
    z.object({
      id: z.string(),
      code: z.enum(SKIP_CODES),
      message: z.string(),
      until: utc.optional().describe('When it ends, where that is known.'),
    }),
  ),
  notAsked: z.array(z.string()).describe('What could not be asked from here.'),
});
export type NextView = z.output<typeof nextView>;

/** @param notAsked what could not be asked, in words. Pure. */
export function nextOf(
  snapshot: Snapshot,
  policy: Policy,
  surroundings: Surroundings,
  { paused, notAsked }: { paused: boolean; notAsked: string[] },
): NextView {
  const { dispatch, waiting, waitsFor, skipped } = nextTick(snapshot, policy, surroundings);
  const noRoom = waitsFor === undefined ? [] : waiting.map(({ bead }) => skip(bead.id, waitsFor));
  return {
    paused,
    dispatch: (paused ? [] : dispatch).map(({ bead: { id }, attempt }) => ({
      id,
      attempt,
      target: TARGET,
    })),
    skipped: [...noRoom, ...skipped].map(skippedOf),
    notAsked,
  };
}

function skippedOf({ id, code, message, until }: Skipped): NextView['skipped'][number] {
  return { id, code, message, ...(until === undefined ? {} : { until: until.toISOString() }) };
}
