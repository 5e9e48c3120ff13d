import { setTimeout as pause } from 'node:timers/promises';

import { decide, type Policy } from '../../functions/dispatch/decide.ts';
import type { Envelope } from '../../shared/audit/envelope.ts';
import { wakeUpEvent, type WakeUpName } from '../../shared/audit/wake-up.ts';
import type { Sink } from '../../shared/audit/sink.ts';
import type { Beads, BeadsDatabase } from '../../shared/beads/beads.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { wakeDispatch, wakeReap, type Asked, type WakeUp } from './plan.ts';

/**
 * Looks at the beads all the time and wakes the functions when there is something for them to do. It never
 * writes. Asking for the hash of bd's table costs as much as `SELECT 1`, also with 100,000 beads; only when
 * that has changed, or time may have changed something, does it look at the beads themselves.
 */

/** While things change: four times a second are 0.2 % of a core. */
const POLL_MS = 250;
/** While nothing does. A change is seen within this, and its wake-up sent at once. */
export const SLOWEST_POLL_MS = 1_000;
/** What becomes due without a change: a deferred bead, one that rests, one that stalls. */
export const LOOK_AGAIN_MS = 30_000;
/** A sink or a database that is away is tried again after this, and twice as long each time. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A broker answers when the function has answered; the longest tick takes this. */
const SEND_TIMEOUT_MS = 300_000;

export interface WatchParts {
  database: BeadsDatabase;
  sink: Sink;
  envelope: Envelope;
  policy: Policy;
  reapAfterMinutes: number;
  log: Logger;
  /** Ends the watch. */
  signal: AbortSignal;
}

/** Watches until the signal; a database that goes away is waited for. */
export async function watch(parts: WatchParts): Promise<void> {
  const { database, envelope, log, signal } = parts;
  const asked = new Map<WakeUpName, Asked>();
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      await database.use(envelope, async (beads) => {
        await watchOver(beads, asked, parts, () => (pauseMs = FIRST_PAUSE_MS));
      });
    } catch (error) {
      log.error({ ...describeError(error), againInMs: pauseMs }, 'cannot look at the beads');
      await sleep(pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }
}

/** Over one connection, for as long as it stands. */
async function watchOver(
  beads: Beads,
  asked: Map<WakeUpName, Asked>,
  parts: WatchParts,
  onLook: () => void,
): Promise<void> {
  let seen = '';
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let pollMs = POLL_MS;
  while (!parts.signal.aborted) {
    const state = await beads.stateHash();
    const isChanged = state !== seen;
    if (isChanged || performance.now() - lookedAtMs >= LOOK_AGAIN_MS) {
      seen = state;
      lookedAtMs = performance.now();
      await lookAndWake(beads, asked, parts);
      onLook();
    }
    pollMs = isChanged ? POLL_MS : Math.min(pollMs * 1.5, SLOWEST_POLL_MS);
    await sleep(pollMs, parts.signal);
  }
}

async function lookAndWake(
  beads: Beads,
  asked: Map<WakeUpName, Asked>,
  { sink, envelope, policy, reapAfterMinutes, log }: WatchParts,
): Promise<void> {
  const look = await beads.look();
  const now = performance.now();
  const due: [WakeUpName, (WakeUp & { asked: Asked }) | undefined][] = [
    [
      'dispatch.due.v1',
      wakeDispatch(look, decide(look, policy), policy, asked.get('dispatch.due.v1'), now),
    ],
    ['reap.due.v1', wakeReap(look, reapAfterMinutes, asked.get('reap.due.v1'), now)],
  ];
  for (const [name, wakeUp] of due) {
    if (wakeUp === undefined) continue;
    asked.set(name, wakeUp.asked);
    // Not waited for: a broker answers only when the tick has ended, and meanwhile more may happen.
    void send(name, wakeUp);
  }

  async function send(name: WakeUpName, { reason, beads: count }: WakeUp): Promise<void> {
    const event = envelope(wakeUpEvent(name, { reason, beads: count }));
    const delivery = await sink.deliver(event, SEND_TIMEOUT_MS);
    if (delivery.kind === 'taken') {
      log.info({ wakeUp: name, reason, beads: count }, 'woken');
    } else {
      asked.delete(name);
      log.warn({ wakeUp: name, problem: delivery.problem }, 'the sink did not take a wake-up');
    }
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
