import { NO_MISSES } from '../beads/rows/history.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import type { BreakerState } from './breaker.ts';
import { decideDispatch, type DispatchDecision, type Eligible } from './eligibility.ts';
import { stopReason, type StopCode } from './limits.ts';
import type { Policy } from './policy.ts';
import { reasonOf, type Reason, type Skipped } from './reasons.ts';

/** What can be asked only of others; `undefined` where nobody was asked. */
export interface Surroundings {
  freeCapacity: number | 'no-answer' | undefined;
  isBeadBoardBusy: boolean | undefined;
}

/** Where neither BeadBoard nor the agent service is asked. */
export const NOT_ASKED: Surroundings = { freeCapacity: undefined, isBeadBoardBusy: undefined };

export interface NextTick {
  breaker: BreakerState;
  /** In the order in which they go, as long as each is accepted. */
  dispatch: Eligible[];
  /** Eligible beads that find no room in it, in their order. */
  waiting: Eligible[];
  /** What they wait for; `undefined` when none does. */
  waitsFor: Reason | undefined;
  skipped: Skipped[];
}

/** What the next tick does with this snapshot, by the rules of the dispatcher itself. Pure. */
export function nextTick(
  snapshot: Snapshot,
  policy: Policy,
  { freeCapacity, isBeadBoardBusy = false }: Surroundings,
): NextTick {
  const { eligible, skipped, breaker } = asLongAsAccepted(snapshot, policy);
  const stopAfter = (taken: number): StopCode | undefined =>
    stopReason(
      {
        isStopping: false,
        isTimeOver: false,
        taken,
        freeCapacity,
        inFlight: snapshot.inProgress.length + taken,
        missesInARow: 0,
        wasBusy: isBeadBoardBusy,
      },
      policy,
    );
  const count = eligible.findIndex((_, taken) => stopAfter(taken) !== undefined);
  if (count === -1)
    return { breaker, dispatch: eligible, waiting: [], waitsFor: undefined, skipped };
  const waitsFor = reasonOf(stopAfter(count) ?? 'tick-full');
  const [dispatch, waiting] = [eligible.slice(0, count), eligible.slice(count)];
  return { breaker, dispatch, waiting, waitsFor, skipped };
}

/** A half-open breaker tries one bead; when that is accepted, the tick goes on with the others. */
function asLongAsAccepted(snapshot: Snapshot, policy: Policy): DispatchDecision {
  const decision = decideDispatch(snapshot, policy);
  const [tried] = decision.eligible;
  if (decision.breaker.kind !== 'half-open' || tried === undefined) return decision;
  const { eligible, skipped } = decideDispatch({ ...snapshot, misses: NO_MISSES }, policy);
  const others = eligible.filter(({ bead }) => bead.id !== tried.bead.id);
  return { breaker: decision.breaker, eligible: [tried, ...others], skipped };
}
