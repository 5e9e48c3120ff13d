import { setTimeout as pause } from 'node:timers/promises';

import { decide, type Policy } from '../../functions/dispatch/decide.ts';
import type { Envelope } from '../../shared/audit/envelope.ts';
import type { Sink } from '../../shared/audit/sink.ts';
import type { Beads, BeadsDatabase } from '../../shared/beads/beads.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { Pauses } from './pauses.ts';
import { lookAgainInMs, wakeDispatch, wakeReap } from './plan.ts';
import { Waker } from './waker.ts';

/**
 * Looks at the beads all the time and wakes the functions when there is something for them to do. It never
 * writes. Asking for the hash of bd's table costs as much as `SELECT 1`, also with 100,000 beads; only when
 * that has changed, or time may have changed something, does it look at the beads themselves.
 */

/** While things change: four times a second are 0.2 % of a core. */
const POLL_MS = 250;
/** While nothing does. A change is seen within this, and its wake-up sent at once. */
export const SLOWEST_POLL_MS = 1_000;
export interface WatchParts {
  database: BeadsDatabase;
  sink: Sink;
  /** Makes events, each under a trace of its own, which the tick goes on with. */
  newEnvelope: () => Envelope;
  policy: Policy;
  reapAfterMinutes: number;
  /** Whether the reaper knows an agent service to ask about jobs. */
  asksForJobs: boolean;
  log: Logger;
  /** Ends the watch. */
  signal: AbortSignal;
}

/** Watches until the signal; a database that goes away is waited for. */
export async function watch(parts: WatchParts): Promise<void> {
  const { database, newEnvelope, log, signal } = parts;
  const wakers = [new Waker('dispatch.due.v1', parts), new Waker('reap.due.v1', parts)];
  const pauses = new Pauses();
  let isAway = false;
  while (!signal.aborted) {
    try {
      await database.use(newEnvelope(), async (beads) => {
        await watchOver(beads, wakers, parts, () => {
          if (isAway) log.info('the database is back');
          isAway = false;
          pauses.reset();
        });
      });
    } catch (error) {
      const againInMs = pauses.next();
      isAway = true;
      log.error({ ...describeError(error), againInMs }, 'cannot look at the beads');
      await sleep(againInMs, signal);
    }
  }
}

/** Over one connection, for as long as it stands. */
async function watchOver(
  beads: Beads,
  wakers: readonly Waker[],
  { policy, reapAfterMinutes, asksForJobs, signal }: WatchParts,
  onLook: () => void,
): Promise<void> {
  let seen = '';
  let lookAtMs = Number.NEGATIVE_INFINITY;
  let pollMs = POLL_MS;
  while (!signal.aborted) {
    const state = await beads.stateHash();
    const isChanged = state !== seen;
    const now = performance.now();
    if (isChanged || now >= lookAtMs || wakers.some((waker) => waker.wants(now))) {
      seen = state;
      const look = await beads.look();
      lookAtMs = now + lookAgainInMs(look);
      const decision = decide(look, policy);
      for (const waker of wakers) {
        waker.wake((asked) =>
          waker.name === 'reap.due.v1'
            ? wakeReap(look, reapAfterMinutes, asksForJobs, asked, now)
            : wakeDispatch(look, decision, policy, asked, now),
        );
      }
      onLook();
    }
    pollMs = isChanged ? POLL_MS : Math.min(pollMs * 1.5, SLOWEST_POLL_MS);
    await sleep(pollMs, signal);
  }
}

/** @returns at the end of the time or at the signal, whichever comes first. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
