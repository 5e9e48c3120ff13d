import type { Bead } from '../beads/rows/bead.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import { nextTick, type Surroundings } from '../rules/next-tick.ts';
import type { Policy } from '../rules/policy.ts';
import { ageSeconds } from './age.ts';

export const BEAD_STATES = ['in-progress', 'eligible', 'back-off', 'skipped', 'blocked'] as const;
export type BeadState = (typeof BEAD_STATES)[number];

/** One row of `kn beads list`. */
export interface ListedBead {
  id: string;
  title: string;
  state: BeadState;
  priority: number | null;
  /** The attempt that is under way or next. */
  attempt: number | null;
  /** The code of the reason, or the job; empty for an eligible bead. */
  why: string;
  message: string;
  until: string | null;
  /** Since the last change. */
  ageSeconds: number;
}

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
  const { dispatch, skipped } = nextTick(snapshot, policy, surroundings);
  const reasons = new Map(skipped.map((each) => [each.id, each]));
  const attempts = new Map(open.map(({ bead, failures }) => [bead.id, failures.count + 1]));
  const row = (bead: Bead, state: BeadState, why = '', message = '', until?: Date): ListedBead => ({
    id: bead.id,
    title: bead.title,
    state,
    priority: bead.priority,
    attempt: attempts.get(bead.id) ?? null,
    why,
    message,
    until: until?.toISOString() ?? null,
    ageSeconds: ageSeconds(bead.updatedAt, now),
  });
  const waiting = open.flatMap(({ bead }) => {
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
    ...waiting.toSorted((a, b) => (a.until ?? '~').localeCompare(b.until ?? '~')),
    ...badRows.map(({ id, problem }) => ({
      id,
      title: '',
      state: 'skipped' as const,
      priority: null,
      attempt: null,
      why: 'bad-row',
      message: problem,
      until: null,
      ageSeconds: 0,
    })),
    ...blocked.map((bead) => row(bead, 'blocked', bead.marker?.name ?? 'by-hand')),
  ];
}
