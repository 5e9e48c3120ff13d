import type { ClaimEvidence } from '../beads/rows/intent.ts';

/** What to do with a claim whose outcome nobody has recorded. */
export type OrphanDecision = 'leave' | 'release' | 'unconfirmed';

/** Pure: a living claimer is left alone; a dead one's bead was posted at most if it meant to. */
export function decideOrphan({ alive, mayHavePosted }: ClaimEvidence): OrphanDecision {
  if (alive) return 'leave';
  return mayHavePosted ? 'unconfirmed' : 'release';
}
