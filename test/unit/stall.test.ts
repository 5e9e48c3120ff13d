import { describe, expect, it } from 'vitest';

import { ageMinutesOf, isWorthAsking, decideStall } from '../../shared/rules/stall.ts';
import { aBead } from '../world/bead.ts';

const now = new Date('2026-11-21T10:00:00Z');

const updated = (secondsAgo: number) =>
  aBead({
    status: 'in_progress',
    updatedAt: new Date(now.getTime() - secondsAgo * 1000),
    marker: { name: 'dispatched', token: 't' },
    job: { id: '3f2a9c0d1e4b', from: 'beadboard' },
  });

describe('decideStall', () => {
  it('an age is in whole minutes, and a time in the future counts as zero', () => {
    expect(ageMinutesOf(updated(119), now)).toBe(1);
    expect(ageMinutesOf(updated(-1), now)).toBe(0);
  });

  it('a bead that is older than the threshold is blocked', () => {
    expect(decideStall(updated(31 * 60 - 1), undefined, now, 30).kind).toBe('leave');
    expect(decideStall(updated(31 * 60), undefined, now, 30)).toEqual({
      kind: 'block',
      ageMinutes: 31,
      thresholdMinutes: 30,
      jobId: '3f2a9c0d1e4b',
      jobState: undefined,
      isUnanswered: false,
    });
  });

  it('a heartbeat counts as progress, and a running lease counts as work', () => {
    const lease = (beatSecondsAgo: number, runsSeconds: number) => ({
      heartbeatAt: new Date(now.getTime() - beatSecondsAgo * 1000),
      expiresAt: new Date(now.getTime() + runsSeconds * 1000),
    });
    const old = updated(45 * 60);
    expect(decideStall({ ...old, lease: lease(60, -1) }, undefined, now, 30)).toMatchObject({
      kind: 'leave',
      reason: 'it made progress 1 minutes ago',
    });
    expect(decideStall({ ...old, lease: lease(40 * 60, 60) }, undefined, now, 30)).toMatchObject({
      kind: 'leave',
      reason: 'its lease runs until 2026-11-21T10:01:00.000Z',
    });
    expect(decideStall({ ...old, lease: lease(40 * 60, 60) }, 'lost', now, 30).kind).toBe('leave');
    expect(decideStall({ ...old, lease: lease(40 * 60, 0) }, undefined, now, 30)).toMatchObject({
      kind: 'block',
      ageMinutes: 40,
    });
    expect(
      decideStall({ ...updated(33 * 60), lease: lease(90 * 60, -1) }, undefined, now, 30),
    ).toMatchObject({ kind: 'block', ageMinutes: 33 });
  });

  it('the reaper asks only about a known job, and not right after the bead was touched', () => {
    expect(isWorthAsking(updated(119), now)).toBe(false);
    expect(isWorthAsking(updated(120), now)).toBe(true);
    expect(isWorthAsking({ ...updated(120), job: undefined }, now)).toBe(false);
  });

  it('a bead whose job has ended is blocked after a short grace period, not after the threshold', () => {
    expect(decideStall(updated(119), 'lost', now, 30)).toEqual({
      kind: 'leave',
      reason: 'it made progress 1 minutes ago',
    });
    expect(decideStall(updated(120), 'lost', now, 30)).toMatchObject({
      kind: 'block',
      ageMinutes: 2,
      jobState: 'lost',
    });
    expect(decideStall(updated(120), undefined, now, 30).kind).toBe('leave');
  });

  it.each(['queued', 'running'])('a bead whose job is %s is left alone', (state) => {
    expect(decideStall(updated(99 * 60), state, now, 30)).toEqual({
      kind: 'leave',
      reason: `its job 3f2a9c0d1e4b is ${state}`,
    });
  });

  it.each(['completed', 'failed', 'timeout', 'error', 'lost'])(
    'a bead whose job is %s is blocked',
    (state) => {
      expect(decideStall(updated(99 * 60), state, now, 30)).toMatchObject({
        kind: 'block',
        jobState: state,
      });
    },
  );
});
