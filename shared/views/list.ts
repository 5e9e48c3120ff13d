import * as z from 'zod';

import type { Bead } from '../beads/rows/bead.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import { nextTick, type Surroundings } from '../rules/next-tick.ts';
import type { Policy } from '../rules/policy.ts';
import { ageSeconds } from './age.ts';
import { priority, seconds, utc } from './fields.ts';

export const BEAD_STATES = ['in-progress', 'eligible', 'back-off', 'skipped', 'blocked'] as const;
export type BeadState = (typeof BEAD_STATES)[number];

/** One row of `kn beads list`. */
export const listedBead = z.object({
  id: z.string(),
  title: z.string(),
  state: z
    .enum(BEAD_STATES)
    .describe(
      'eligible: it can be dispatched now. back-off: it rests after a failure. skipped: a condition is not met. blocked: its status.',
    ),
  priority: priority.nullable(),
  attempt: z.int().min(1).nullable().describe('The attempt that is next.'),
  why: z
    .string()
    .describe('The code of the reason, or the job; empty for what the next tick dispatches.'),
  message: z.string(),
  until: utc.nullable().describe('When the reason ends, where that is known.'),
  dispatchedAt: utc.nullable().describe('Of a bead in progress, where that is on record.'),
  ageSeconds: seconds.describe('Since the last change.'),
});
export type ListedBead = z.output<typeof listedBead>;

/**
 * All beads of the sentinel that are not closed, in the order in which they concern an operator.
 * Pure.
 */
export function listOf(
  snapshot: Snapshot,
  blocked: readonly Bead[],
  policy: Policy,
  surroundings: Surroundings,
): ListedBead[] {
  const { now, open, inProgress, badRows } = snapshot;
  const { dispatch, waiting, waitsFor, skipped } = nextTick(snapshot, policy, surroundings);
  const reasons = new Map(skipped.map((each) => [each.id, each]));
  const attempts = new Map(open.map(({ bead, failures }) => [bead.id, failures.count + 1]));
  const dispatchedAt = new Map<string | undefined, Date>(
    snapshot.followUps.dispatches.map(({ token, at }) => [token, at]),
  );
  const row = (bead: Bead, state: BeadState, why = '', message = '', until?: Date): ListedBead => ({
    id: bead.id,
    title: bead.title,
    state,
    priority: bead.priority,
    attempt: attempts.get(bead.id) ?? null,
    why,
    message,
    until: until?.toISOString() ?? null,
    dispatchedAt: dispatchedAt.get(bead.marker?.token)?.toISOString() ?? null,
    ageSeconds: ageSeconds(bead.updatedAt, now),
  });
  const notNow = open.flatMap(({ bead }) => {
    const reason = reasons.get(bead.id);
    if (reason === undefined) return [];
    const state = reason.code === 'back-off' ? 'back-off' : 'skipped';
    return [row(bead, state, reason.code, reason.message, reason.until)];
  });
  return [
    ...inProgress.map((bead) => {
      const job = bead.job === undefined ? bead.marker?.name : `job ${bead.job.id}`;
      return row(bead, 'in-progress', job ?? '', bead.marker?.name ?? '');
    }),
    ...dispatch.map(({ bead }) => row(bead, 'eligible')),
    ...waiting.map(({ bead }) => row(bead, 'eligible', waitsFor?.code, waitsFor?.message)),
    ...notNow.toSorted((a, b) => (a.until ?? '~').localeCompare(b.until ?? '~')),
    ...badRows.map(({ id, problem }) => ({
      id,
      title: '',
      state: 'skipped' as const,
      priority: null,
      attempt: null,
      why: 'bad-row',
      message: problem,
      until: null,
      dispatchedAt: null,
      ageSeconds: 0,
    })),
    ...blocked.map((bead) => row(bead, 'blocked', bead.marker?.name ?? 'by-hand')),
  ];
}
