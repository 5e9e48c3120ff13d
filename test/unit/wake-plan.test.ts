import { describe, expect, it } from 'vitest';

import { decideDispatch } from '../../shared/rules/eligibility.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import type { Bead } from '../../shared/beads/rows/bead.ts';
import { NO_FAILURES, NO_MISSES } from '../../shared/beads/rows/history.ts';
import type { Snapshot } from '../../shared/beads/snapshot.ts';
import {
  nextSnapshotInMs,
  wakeDispatch,
  wakeReap,
  type Asked,
} from '../../shared/rules/wake-plan.ts';
import { aBead } from '../world/bead.ts';

const now = new Date('2026-11-21T12:00:00Z');
const policy: Policy = {
  retry: { maxAttempts: 5, backOff: { baseMs: 120_000, maxMs: 1_800_000 } },
  maxDispatchesPerTick: 10,
  maxInFlight: undefined,
};

const bead = (id: string, fields: Partial<Bead> = {}) => aBead({ id, updatedAt: now, ...fields });

function seen(open: Bead[], inProgress: Bead[] = [], unsentSince?: Date): Snapshot {
  const candidates = open.map((each) => ({
    bead: each,
    blockedBy: undefined,
    failures: NO_FAILURES,
  }));
  const outbox = { unsentSince, parked: 0, retryAt: undefined };
  return {
    now,
    outbox,
    hasOldIntents: false,
    open: candidates,
    inProgress,
    misses: NO_MISSES,
    followUps: { dispatches: [], breakerOpenedAt: undefined },
    badRows: [],
  };
}

const dispatchFor = (look: Snapshot, asked?: Asked, nowMs = 0, with_: Partial<Policy> = {}) =>
  wakeDispatch(look, decideDispatch(look, policy), { ...policy, ...with_ }, asked, nowMs);
const minutesAgo = (minutes: number) => new Date(now.getTime() - minutes * 60_000);

describe('the watch wakes the dispatcher', () => {
  it('the watcher wakes the dispatcher when beads are ready, and not when none is', () => {
    expect(dispatchFor(seen([bead('a'), bead('b')]))).toMatchObject({
      reason: 'changed',
      beads: 2,
    });
    expect(dispatchFor(seen([]))).toBeUndefined();
    expect(dispatchFor(seen([bead('a', { hasAcceptanceCriteria: false })]))).toBeUndefined();
    expect(dispatchFor(seen([], [bead('a', { status: 'in_progress' })]))).toBeUndefined();
  });

  it('the watcher wakes the dispatcher once for the same beads, then at growing intervals while they wait', () => {
    const look = seen([bead('a')]);
    let asked: Asked | undefined;
    const wokenAt: number[] = [];
    for (let seconds = 0; seconds <= 3600; seconds += 1) {
      const wakeUp = dispatchFor(look, asked, seconds * 1000);
      if (wakeUp === undefined) continue;
      asked = wakeUp.asked;
      wokenAt.push(seconds);
    }
    expect(wokenAt.slice(0, 6)).toEqual([0, 30, 90, 210, 330, 450]);
  });

  it('the watcher wakes the dispatcher at once when a bead is new or touched, or when room became free', () => {
    const working = bead('w', { status: 'in_progress' });
    const { asked } = dispatchFor(seen([bead('a')], [working])) ?? {};
    const again = (look: Snapshot) => dispatchFor(look, asked, 1)?.reason;
    expect(again(seen([bead('a')], [working]))).toBeUndefined();
    expect(again(seen([bead('a'), bead('b')], [working]))).toBe('changed');
    expect(again(seen([bead('a', { updatedAt: minutesAgo(1) })], [working]))).toBe('changed');
    expect(again(seen([bead('a')]))).toBe('changed');
  });

  it('the watcher does not wake the dispatcher when MAX_IN_FLIGHT leaves no room', () => {
    const look = seen([bead('a')], [bead('w', { status: 'in_progress' })]);
    expect(dispatchFor(look, undefined, 0, { maxInFlight: 1 })).toBeUndefined();
    expect(dispatchFor(look, undefined, 0, { maxInFlight: 2 })).toBeDefined();
  });

  it('the watcher wakes the dispatcher to recover an orphan and to send what waits in the outbox', () => {
    const marker = { name: 'claimed', token: 't' } as const;
    const claimed = (minutes: number) =>
      seen([], [bead('a', { status: 'in_progress', marker, updatedAt: minutesAgo(minutes) })]);
    expect(dispatchFor(claimed(0))).toBeUndefined();
    expect(dispatchFor(claimed(1))).toMatchObject({ beads: 1 });
    expect(dispatchFor(seen([], [], now))).toBeUndefined();
    expect(dispatchFor(seen([], [], minutesAgo(1)))).toMatchObject({ reason: 'changed', beads: 0 });
  });
});

describe('the watch wakes the reaper', () => {
  it('the watcher wakes the reaper once for a bead past its threshold, and again while it stays', () => {
    const stalled = (minutes: number) =>
      seen([], [bead('a', { status: 'in_progress', updatedAt: minutesAgo(minutes) })]);
    expect(wakeReap(stalled(30), 30, false, undefined, 0)).toBeUndefined();
    const wakeUp = wakeReap(stalled(31), 30, false, undefined, 0);
    expect(wakeUp).toMatchObject({ reason: 'changed', beads: 1 });
    expect(wakeReap(stalled(31), 30, false, wakeUp?.asked, 29_999)).toBeUndefined();
    expect(wakeReap(stalled(31), 30, false, wakeUp?.asked, 30_000)).toMatchObject({
      reason: 'unchanged',
    });
  });

  it('the watcher wakes the reaper every ten minutes while a job may have ended, if it can ask about jobs', () => {
    const job = { id: '3f2a9c0d1e4b', from: 'beadboard' } as const;
    const working = seen([], [bead('a', { status: 'in_progress', job, updatedAt: minutesAgo(5) })]);
    expect(wakeReap(working, 30, false, undefined, 0)).toBeUndefined();
    const wakeUp = wakeReap(working, 30, true, undefined, 0);
    expect(wakeUp).toMatchObject({ reason: 'unchanged', beads: 1 });
    expect(wakeReap(working, 30, true, wakeUp?.asked, 599_999)).toBeUndefined();
    expect(wakeReap(working, 30, true, wakeUp?.asked, 600_000)).toBeDefined();
  });
});

describe('the watch looks again', () => {
  const until = (seconds: number) => new Date(now.getTime() + seconds * 1000);
  it.each([
    ['after half a minute when nothing is known to become due', [], 30_000],
    ['when the first bead is deferred no longer', [until(20), until(4), until(60)], 4_000],
    ['after half a minute when that is later', [until(31)], 30_000],
    ['as if there were none that is past', [until(-5)], 30_000],
  ])('the watcher takes its next snapshot %s', (_, deferred, milliseconds) => {
    const open = deferred.map((deferUntil, n) => bead(String(n), { deferUntil }));
    expect(nextSnapshotInMs(seen(open))).toBe(milliseconds);
  });
});
