import type { Doubt, Refusal } from '../beads/write/transitions.ts';

/**
 * What asking a receiver of work once came to. Only `refused` may give a bead back: everything that
 * leaves a doubt is `unknown`, because a receiver may start a second job when it is asked a second
 * time.
 */
export type DispatchOutcome =
  | { kind: 'accepted'; jobId: string }
  | ({ kind: 'refused' } & Refusal)
  | ({ kind: 'unknown' } & Doubt);
