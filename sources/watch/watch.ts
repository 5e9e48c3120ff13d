import { setTimeout as pause } from 'node:timers/promises';

import { decideDispatch } from '../../shared/rules/eligibility.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import type { ToCloudEvent } from '../../shared/events/to-cloud-event.ts';
import type { Beads, BeadsDatabase } from '../../shared/beads/beads.ts';
import { describeError } from '../../shared/runtime/errors.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { ReconnectDelay } from './reconnect-delay.ts';
import { nextSnapshotInMs, wakeDispatch, wakeReap } from '../../shared/rules/wake-plan.ts';
import { Waker, type WakeUpSink } from './waker.ts';

/**
 * Looks at the beads all the time and wakes the functions when there is something for them to do.
 * It never writes. Asking for the hash of bd's table costs as much as `SELECT 1`, also with 100,000
 * beads; only when that has changed, or time may have changed something, does it look at the beads
 * themselves.
 */

/** While things change: four times a second are 0.2 % of a core. */
const POLL_MS = 250;
/** While nothing does. A change is seen within this, and its wake-up sent at once. */
export const SLOWEST_POLL_MS = 1_000;
export interface WatchParts {
  database: BeadsDatabase;
  /** `undefined` while paused, or before there is one: then nobody is woken. */
  sink: WakeUpSink | undefined;
  /** Makes events, each under a trace of its own, which the tick continues with. */
  newToCloudEvent: () => ToCloudEvent;
  policy: Policy;
  reapAfterMinutes: number;
  /** Whether the reaper knows an agent service to ask about jobs. */
  asksForJobs: boolean;
  log: Logger;
  /** Called after each snapshot. */
  onSnapshot: () => void;
  /** Ends the watcher. */
  signal: AbortSignal;
}

/** Watches until the signal; a database that goes away is waited for. */
export async function watch(parts: WatchParts): Promise<void> {
  const { database, newToCloudEvent, log, signal } = parts;
  const { sink } = parts;
  const wakers =
    sink === undefined
      ? []
      : [
          new Waker('dispatch.due.v1', { ...parts, sink }),
          new Waker('reap.due.v1', { ...parts, sink }),
        ];
  const delay = new ReconnectDelay();
  let isAway = false;
  while (!signal.aborted) {
    try {
      await database.use(newToCloudEvent(), async (beads) => {
        await watchOver(beads, wakers, parts, () => {
          parts.onSnapshot();
          if (isAway) log.info('the database is back');
          isAway = false;
          delay.reset();
        });
      });
    } catch (error) {
      const againInMs = delay.next();
      isAway = true;
      log.error({ ...describeError(error), againInMs }, 'cannot read the beads');
      await sleep(againInMs, signal);
    }
  }
}

/** Over one connection, for as long as it stands. */
async function watchOver(
  beads: Beads,
  wakers: readonly Waker[],
  { policy, reapAfterMinutes, asksForJobs, signal }: WatchParts,
  onSnapshot: () => void,
): Promise<void> {
  let seen = '';
  let snapshotAtMs = Number.NEGATIVE_INFINITY;
  let pollMs = POLL_MS;
  while (!signal.aborted) {
    const state = await beads.stateHash();
    const isChanged = state !== seen;
    const now = performance.now();
    if (isChanged || now >= snapshotAtMs || wakers.some((waker) => waker.wants(now))) {
      seen = state;
      const snapshot = await beads.readSnapshot();
      snapshotAtMs = now + nextSnapshotInMs(snapshot);
      const decision = decideDispatch(snapshot, policy);
      for (const waker of wakers) {
        waker.wake((asked) =>
          waker.name === 'reap.due.v1'
            ? wakeReap(snapshot, reapAfterMinutes, asksForJobs, asked, now)
            : wakeDispatch(snapshot, decision, policy, asked, now),
        );
      }
      onSnapshot();
    }
    pollMs = isChanged ? POLL_MS : Math.min(pollMs * 1.5, SLOWEST_POLL_MS);
    await sleep(pollMs, signal);
  }
}

/** @returns at the end of the time or at the signal, whichever comes first. */
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
