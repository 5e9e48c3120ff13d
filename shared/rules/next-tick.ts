import type { Snapshot } from '../beads/snapshot.ts';
import { decideDispatch, type Eligible } from './eligibility.ts';
import { stopReason, type StopCode } from './limits.ts';
import type { Policy } from './policy.ts';
import { reasonOf, skip, type Skipped } from './reasons.ts';

/** What can be asked only of others; `undefined` where nobody was asked. */
export interface Surroundings {
  freeCapacity: number | 'no-answer' | undefined;
  isBeadBoardBusy: boolean | undefined;
}

export interface NextTick {
  /** In the order in which they go, as long as each is accepted. */
  dispatch: Eligible[];
  skipped: Skipped[];
}

/** What the next tick does with this snapshot, by the rules of the dispatcher itself. Pure. */
export function nextTick(
  snapshot: Snapshot,
  policy: Policy,
  { freeCapacity, isBeadBoardBusy = false }: Surroundings,
): NextTick {
  const { eligible, skipped } = decideDispatch(snapshot, policy);
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
  if (count === -1) return { dispatch: eligible, skipped };
  const reason = reasonOf(stopAfter(count) ?? 'tick-full');
  const waiting = eligible.slice(count).map(({ bead }) => skip(bead.id, reason));
  return { dispatch: eligible.slice(0, count), skipped: [...skipped, ...waiting] };
}
