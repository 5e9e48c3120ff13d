import type { DispatchDecision } from './eligibility.ts';
import { endedIn } from './ending.ts';
import { hasRoom } from './limits.ts';
import type { Policy } from './policy.ts';
import { ageMinutesOf, isWorthAsking, decideStall } from './stall.ts';
import type { Snapshot } from '../beads/snapshot.ts';

/**
 * Whether a function is to be woken, and why. Pure: a wake-up is sent for a state of the beads that
 * gives a function something to do, once; and again, more and more rarely, while that state stays.
 */

/** What was last asked for, of one function. */
export interface Asked {
  /** The state of the beads it was asked for. */
  state: string;
  atMs: number;
  /** How often for this state. */
  times: number;
}

/** A wake-up to send, and what to remember of it when it was taken. */
export interface Due {
  /** Whether the state is another one than that of the last wake-up. */
  reason: 'changed' | 'unchanged';
  /** How many beads there are to do something with. */
  beads: number;
  asked: Asked;
}

/** The first repetition; an agent that finishes closes its bead, which is a change of its own. */
const FIRST_REPEAT_MS = 30_000;
/** While work waits, it is asked for as often as by the schedule of the plain overlay. */
const LONGEST_REPEAT_MS = 120_000;
/** Events alone, which a sink that is away does not take. */
const EVENTS_REPEAT_MS = 3_600_000;
/** And the reaper, while jobs run that it can ask about. */
const JOBS_REPEAT_MS = 600_000;
/** An event that was not sent in this time is not being sent by the tick that recorded it. */
const UNSENT_MS = 60_000;
/** A snapshot is up to four queries. */
export const SNAPSHOT_AGAIN_MS = 30_000;
/** A claim that nobody has recorded an outcome of: its dispatcher has died, or hangs. */
const ORPHAN_MINUTES = 1;

/**
 * @param asked what the dispatcher was last woken for; `undefined` when it was not yet.
 * @param nowMs of a clock that only goes forward.
 * @returns the wake-up and what to remember of it, or `undefined`.
 */
export function wakeDispatch(
  snapshot: Snapshot,
  decision: DispatchDecision,
  policy: Policy,
  asked: Asked | undefined,
  nowMs: number,
): Due | undefined {
  const beads = hasRoom(policy, snapshot.inProgress.length)
    ? decision.eligible.map(({ bead }) => bead)
    : [];
  const orphans = snapshot.inProgress.filter(
    (bead) => bead.marker?.name === 'claimed' && ageMinutesOf(bead, snapshot.now) >= ORPHAN_MINUTES,
  );
  const ended = endedIn(snapshot);
  const due = [...beads, ...orphans];
  const { unsentSince } = snapshot.outbox;
  const isLyingAround =
    unsentSince !== undefined && snapshot.now.getTime() - unsentSince.getTime() >= UNSENT_MS;
  if (due.length + ended.length === 0 && !isLyingAround) return undefined;
  const state = [
    ...due.map(({ id, updatedAt }) => `${id}@${updatedAt.getTime()}`),
    // Room that an agent has left is a change, too.
    ...snapshot.inProgress.map(({ id }) => id),
    ...ended.map(({ token }) => token),
    ...(isLyingAround ? ['events'] : []),
  ].join(' ');
  const count = due.length + ended.length;
  return wake(state, count, asked, nowMs, count === 0 ? EVENTS_REPEAT_MS : undefined);
}

/**
 * The same for the reaper: what is past its threshold by age alone, or has a job that may have
 * ended.
 * @param asksForJobs whether the reaper knows an agent service to ask.
 */
export function wakeReap(
  snapshot: Snapshot,
  thresholdMinutes: number,
  asksForJobs: boolean,
  asked: Asked | undefined,
  nowMs: number,
): Due | undefined {
  const stalled = snapshot.inProgress.filter(
    (bead) => decideStall(bead, undefined, snapshot.now, thresholdMinutes).kind === 'block',
  );
  if (stalled.length > 0) {
    const state = stalled.map(({ id, updatedAt }) => `${id}@${updatedAt.getTime()}`).join(' ');
    return wake(state, stalled.length, asked, nowMs);
  }
  const withJobs = snapshot.inProgress.filter((bead) => isWorthAsking(bead, snapshot.now));
  const isTooSoon = asked !== undefined && nowMs - asked.atMs < JOBS_REPEAT_MS;
  if (!asksForJobs || withJobs.length === 0 || isTooSoon) return undefined;
  const asking = { state: 'jobs', atMs: nowMs, times: 1 };
  return { reason: 'unchanged', beads: withJobs.length, asked: asking };
}

/**
 * What becomes due without a change: a deferred bead at its time; one that rests, or stalls, at the
 * latest after half a minute.
 * @returns in how many milliseconds to read a snapshot again.
 */
export function nextSnapshotInMs({ now, open }: Snapshot): number {
  const waits = open.flatMap(({ bead }) =>
    bead.deferUntil !== undefined && bead.deferUntil > now
      ? [bead.deferUntil.getTime() - now.getTime()]
      : [],
  );
  return Math.min(SNAPSHOT_AGAIN_MS, ...waits);
}

function wake(
  state: string,
  beads: number,
  asked: Asked | undefined,
  nowMs: number,
  longestMs = LONGEST_REPEAT_MS,
): Due | undefined {
  if (asked?.state !== state) {
    return { reason: 'changed', beads, asked: { state, atMs: nowMs, times: 1 } };
  }
  const wait = Math.min(FIRST_REPEAT_MS * 2 ** Math.min(asked.times - 1, 10), longestMs);
  if (nowMs - asked.atMs < wait) return undefined;
  return { reason: 'unchanged', beads, asked: { state, atMs: nowMs, times: asked.times + 1 } };
}
