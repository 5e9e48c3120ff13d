import { describe, expect, it } from 'vitest';

import { decide, roomFor, type Policy } from '../../functions/dispatch/decide.ts';
import { backOffMs } from '../../shared/beads/back-off.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import { NO_FAILURES, NO_MISSES, type Failures } from '../../shared/beads/history.ts';
import type { Candidate } from '../../shared/beads/look.ts';
import { aBead } from '../world/bead.ts';

const now = new Date('2026-11-21T10:00:00Z');
const backOff = { baseMs: 120_000, maxMs: 1_800_000 };
const policy: Policy = {
  retry: { maxAttempts: 5, backOff },
  maxDispatchesPerTick: 10,
  maxInFlight: undefined,
};

const misses = NO_MISSES;

function candidate(fields: Partial<Bead> = {}, rest: Partial<Candidate> = {}): Candidate {
  return {
    bead: aBead({ updatedAt: now, ...fields }),
    waiting: undefined,
    failures: NO_FAILURES,
    ...rest,
  };
}

/** What decide does not look at. */
const nothingElse = {
  inProgress: [],
  bad: [],
  outbox: { unsentSince: undefined, parked: 0, retryAt: undefined },
  hasOldIntents: false,
};

function decideOn(...open: Candidate[]) {
  return decide({ now, open, ...nothingElse, misses }, policy);
}

describe('decide', () => {
  it('gives every bead that is not taken exactly one reason', () => {
    const open = [
      candidate({ id: 'ok' }),
      candidate({ id: 'blank', hasAcceptanceCriteria: false, pinned: true }),
      candidate({ id: 'waits' }, { waiting: 'blocked' }),
    ];
    const bad = [{ id: 'bad', problem: 'priority: too big' }];
    const { eligible, left } = decide({ now, open, ...nothingElse, misses, bad }, policy);
    expect(eligible.map(({ bead }) => bead.id)).toEqual(['ok']);
    expect(left).toEqual([
      { id: 'bad', reason: 'its row does not parse: priority: too big' },
      { id: 'blank', reason: 'it has no acceptance criteria' },
      { id: 'waits', reason: 'an open bead blocks it' },
    ]);
  });

  it.each<[string, Partial<Bead>, Partial<Candidate>]>([
    ['it has no acceptance criteria', { hasAcceptanceCriteria: false }, {}],
    ['it is pinned', { pinned: true }, {}],
    ['it is a template', { template: true }, {}],
    ['it is ephemeral', { ephemeral: true }, {}],
    ['its metadata has something else where a claim goes', { hasForeignMetadata: true }, {}],
    ['its notes are full', {}, { waiting: 'notes-full' }],
    ['its parent is deferred', {}, { waiting: 'parent-deferred' }],
    ['an open bead blocks it', {}, { waiting: 'blocked' }],
    ...['gate', 'molecule', 'message', 'merge-request', 'agent', 'role', 'rig'].map(
      (type): [string, Partial<Bead>, Partial<Candidate>] => [
        `it is a ${type}, not work`,
        { type },
        {},
      ],
    ),
  ])('leaves a bead: %s', (reason, fields, rest) => {
    expect(decideOn(candidate(fields, rest))).toMatchObject({
      eligible: [],
      left: [{ id: 'code-a1', reason }],
      breaker: { kind: 'closed' },
    });
  });

  it('takes none while the breaker is open, and the best one when it is half open', () => {
    const open = [candidate({ id: 'b' }), candidate({ id: 'a' })];
    const withMisses = (lastSecondsAgo: number) =>
      decide({ now, open, ...nothingElse, misses: { count: 5, beads: 3, lastSecondsAgo } }, policy);
    const reason = 'the last 5 dispatches failed; all rest for another 80 s';
    expect(withMisses(100)).toMatchObject({
      eligible: [],
      left: [
        { id: 'a', reason },
        { id: 'b', reason },
      ],
    });
    expect(withMisses(180)).toMatchObject({
      eligible: [{ bead: { id: 'a' } }],
      left: [{ id: 'b', reason: 'the last dispatches failed; one bead goes first, to see' }],
    });
  });

  it('orders by priority, then by the last change, then by id', () => {
    const earlier = new Date(now.getTime() - 1000);
    const { eligible } = decideOn(
      candidate({ id: 'd' }),
      candidate({ id: 'c' }),
      candidate({ id: 'b', updatedAt: earlier }),
      candidate({ id: 'a', priority: 0 }),
    );
    expect(eligible.map(({ bead }) => bead.id)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('takes a deferred bead from the very moment on', () => {
    expect(decideOn(candidate({ deferUntil: now })).eligible).toHaveLength(1);
    const later = new Date(now.getTime() + 1000);
    expect(decideOn(candidate({ deferUntil: later })).left[0]?.reason).toBe(
      'it is deferred until 2026-11-21T10:00:01.000Z',
    );
  });

  it('lets a bead rest after its failures, and counts the next attempt from them', () => {
    const failures = (lastSecondsAgo: number): Failures => ({
      count: 2,
      rests: 2,
      lastSecondsAgo,
      resetSecondsAgo: undefined,
    });
    const restSeconds = Math.ceil(backOffMs('code-a1', 2, backOff) / 1000);
    const rests = decideOn(candidate({}, { failures: failures(restSeconds - 10) }));
    expect(rests.left[0]?.reason).toMatch(/came back 2 times and rests for another (9|10) s/);
    const goes = decideOn(candidate({}, { failures: failures(restSeconds) }));
    expect(goes.eligible).toMatchObject([{ attempt: 3 }]);
  });
});

describe('room', () => {
  it('is the smallest of all bounds, and never negative', () => {
    expect(roomFor(policy, 500, undefined)).toBe(10);
    expect(roomFor({ ...policy, maxInFlight: 7 }, 4, undefined)).toBe(3);
    expect(roomFor({ ...policy, maxInFlight: 7 }, 9, undefined)).toBe(0);
    expect(roomFor(policy, 0, 2)).toBe(2);
  });
});

describe('back-off', () => {
  it('doubles up to its maximum, with the upper half left to chance', () => {
    for (let failures = 1; failures < 60; failures += 1) {
      const whole = Math.min(backOff.maxMs, backOff.baseMs * 2 ** (failures - 1));
      const waits = ['a', 'b', 'c', 'd', 'e'].map((id) => backOffMs(id, failures, backOff));
      for (const wait of waits) {
        expect(wait).toBeGreaterThanOrEqual(whole / 2);
        expect(wait).toBeLessThanOrEqual(whole);
      }
      expect(new Set(waits).size).toBeGreaterThan(1);
    }
  });

  it('is the same whenever it is asked for', () => {
    expect(backOffMs('code-a1', 3, backOff)).toBe(backOffMs('code-a1', 3, backOff));
  });
});
