import type { Policy } from './policy.ts';
import type { SkipCode } from './reasons.ts';

/** How many beads a tick takes, and why it takes no further one. Pure. */

/** A tick as far as it has come. */
export interface TickState {
  /** The process has been told to end. */
  isStopping: boolean;
  isTimeOver: boolean;
  /** Beads that were dispatched, or may have been. */
  taken: number;
  /** What the agent service can start; `undefined` when there is none to ask. */
  freeCapacity: number | 'no-answer' | undefined;
  /** Beads in progress for the sentinel, those that other ticks have taken among them. */
  inFlight: number;
  missesInARow: number;
  /** BeadBoard had no room for one. */
  wasBusy: boolean;
}

/**
 * One refusal may be the bead's own fault; two in a row are BeadBoard's, and every further try
 * would only cost one more bead an attempt.
 */
export const MISSES_THAT_END_A_TICK = 2;

/** Why a tick takes no further bead. */
export type StopCode = Extract<
  SkipCode,
  | 'stopping'
  | 'time-over'
  | 'tick-full'
  | 'no-capacity'
  | 'agent-service-away'
  | 'in-flight'
  | 'failures-in-a-row'
  | 'beadboard-busy'
>;

/** @returns `undefined` when another bead may be taken, as far as this process knows. */
export function stopReason(state: TickState, policy: Policy): StopCode | undefined {
  const { taken, freeCapacity = Number.POSITIVE_INFINITY, missesInARow } = state;
  if (state.isStopping) return 'stopping';
  if (state.isTimeOver) return 'time-over';
  if (taken >= policy.maxDispatchesPerTick) return 'tick-full';
  if (freeCapacity === 'no-answer') return 'agent-service-away';
  if (taken >= freeCapacity) return 'no-capacity';
  if (!hasRoom(policy, state.inFlight)) return 'in-flight';
  if (missesInARow >= MISSES_THAT_END_A_TICK) return 'failures-in-a-row';
  return state.wasBusy ? 'beadboard-busy' : undefined;
}

/** @returns whether MAX_IN_FLIGHT leaves room for one more bead. */
export function hasRoom({ maxInFlight }: Policy, inFlight: number): boolean {
  return maxInFlight === undefined || inFlight < maxInFlight;
}

/** What ends a tick although more beads could be dispatched at once. */
const ENDS_EARLY: ReadonlySet<StopCode> = new Set(['time-over', 'tick-full']);

/**
 * @returns whether another tick should follow at once; one that took nothing asks for none, so that
 *   this ends.
 */
export const isDispatchDue = (stop: StopCode | undefined, taken: number): boolean =>
  stop !== undefined && taken > 0 && ENDS_EARLY.has(stop);
