import { describe, expect, it } from 'vitest';

import { conditionsOf, decideDispatch } from '../../shared/rules/eligibility.ts';
import {
  hasRoom,
  isDispatchDue,
  stopReason,
  type StopCode,
  type TickState,
} from '../../shared/rules/limits.ts';
import type { SkipCode } from '../../shared/rules/reasons.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import { backOffMs } from '../../shared/rules/back-off.ts';
import type { Bead } from '../../shared/beads/rows/bead.ts';
import { NO_FAILURES, NO_MISSES, type Failures } from '../../shared/beads/rows/history.ts';
import type { Candidate } from '../../shared/beads/snapshot.ts';
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
    blockedBy: undefined,
    failures: NO_FAILURES,
    ...rest,
  };
}

/** What decide does not look at. */
const nothingElse = {
  inProgress: [],
  badRows: [],
  outbox: { unsentSince: undefined, parked: 0, retryAt: undefined },
  hasOldIntents: false,
  followUps: { dispatches: [], breakerOpenedAt: undefined },
};

function decideOn(...open: Candidate[]) {
  return decideDispatch({ now, open, ...nothingElse, misses }, policy);
}

const codesOf = (skipped: readonly { id: string; code: string }[]) =>
  skipped.map(({ id, code }) => [id, code]);

describe('the decision about beads', () => {
  it('each bead that is not dispatched has exactly one reason', () => {
    const open = [
      candidate({ id: 'ok' }),
      candidate({ id: 'blank', hasAcceptanceCriteria: false, pinned: true }),
      candidate({ id: 'waits' }, { blockedBy: 'blocker' }),
    ];
    const badRows = [{ id: 'bad', problem: 'priority: too big' }];
    const { eligible, skipped } = decideDispatch(
      { now, open, ...nothingElse, misses, badRows },
      policy,
    );
    expect(eligible.map(({ bead }) => bead.id)).toEqual(['ok']);
    expect(codesOf(skipped)).toEqual([
      ['bad', 'bad-row'],
      ['blank', 'no-acceptance-criteria'],
      ['waits', 'blocked'],
    ]);
    expect(skipped[0]?.message).toBe('its row cannot be read: priority: too big');
  });

  it.each<[SkipCode, Partial<Bead>, Partial<Candidate>]>([
    ['bad-id', { id: ' code-a1' }, {}],
    ['no-acceptance-criteria', { hasAcceptanceCriteria: false }, {}],
    ['pinned', { pinned: true }, {}],
    ['template', { template: true }, {}],
    ['ephemeral', { ephemeral: true }, {}],
    ['too-large', { rowBytes: 1_048_577 }, {}],
    ['foreign-metadata', { hasForeignMetadata: true }, {}],
    ['full-notes', {}, { blockedBy: 'full-notes' }],
    ['deferred-parent', {}, { blockedBy: 'deferred-parent' }],
    ['blocked', {}, { blockedBy: 'blocker' }],
    ...['gate', 'molecule', 'message', 'merge-request', 'agent', 'role', 'rig'].map(
      (type): [SkipCode, Partial<Bead>, Partial<Candidate>] => ['not-work', { type }, {}],
    ),
  ])('a bead is skipped because of its own state: %s', (code, fields, rest) => {
    expect(decideOn(candidate(fields, rest))).toMatchObject({
      eligible: [],
      skipped: [{ code }],
      breaker: { kind: 'closed' },
    });
    // Each condition is met but for that one.
    const missed = conditionsOf(candidate(fields, rest), now, policy).filter(
      ({ reason }) => reason !== undefined,
    );
    expect(missed.map(({ reason }) => reason?.code)).toEqual([code]);
  });

  it('a bead whose texts have the maximum number of bytes is eligible', () => {
    expect(decideOn(candidate({ rowBytes: 1_048_576 })).eligible).toHaveLength(1);
  });

  it('no bead is eligible while the breaker is open, and only the best one while it is half-open', () => {
    const open = [candidate({ id: 'b' }), candidate({ id: 'a' })];
    const withMisses = (lastSecondsAgo: number) =>
      decideDispatch(
        { now, open, ...nothingElse, misses: { count: 5, beads: ['a', 'b', 'c'], lastSecondsAgo } },
        policy,
      );
    const until = new Date(now.getTime() + 80_000);
    expect(withMisses(100)).toMatchObject({
      eligible: [],
      skipped: [
        { id: 'a', code: 'breaker-open', until },
        { id: 'b', code: 'breaker-open', until },
      ],
    });
    expect(withMisses(180)).toMatchObject({
      eligible: [{ bead: { id: 'a' } }],
      skipped: [{ id: 'b', code: 'breaker-half-open' }],
    });
  });

  it('a half-open breaker tries the bead that a person asked for last, whatever its rank', () => {
    const asked = (id: string, reopenedSecondsAgo: number) =>
      candidate({ id }, { failures: { ...NO_FAILURES, reopenedSecondsAgo } });
    const open = [candidate({ id: 'a' }), asked('b', 60), asked('c', 10), asked('d', 30)];
    const decided = (lastSecondsAgo: number) =>
      decideDispatch(
        { now, open, ...nothingElse, misses: { count: 5, beads: ['a', 'b', 'c'], lastSecondsAgo } },
        policy,
      );
    expect(decided(100)).toMatchObject({
      breaker: { kind: 'half-open' },
      eligible: [{ bead: { id: 'c' } }],
      skipped: ['a', 'b', 'd'].map((id) => ({ id, code: 'breaker-half-open' })),
    });
    // A wish that is older than the last miss has been tried.
    expect(decided(5).eligible).toEqual([]);
    // A closed breaker keeps the order.
    expect(decideOn(...open).eligible.map(({ bead }) => bead.id)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('eligible beads are ordered by priority, then by last change, then by id', () => {
    const earlier = new Date(now.getTime() - 1000);
    const { eligible } = decideOn(
      candidate({ id: 'd' }),
      candidate({ id: 'c' }),
      candidate({ id: 'b', updatedAt: earlier }),
      candidate({ id: 'a', priority: 0 }),
    );
    expect(eligible.map(({ bead }) => bead.id)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('a deferred bead is eligible from the exact end of its deferral', () => {
    expect(decideOn(candidate({ deferUntil: now })).eligible).toHaveLength(1);
    const later = new Date(now.getTime() + 1000);
    expect(decideOn(candidate({ deferUntil: later })).skipped).toEqual([
      {
        id: 'code-a1',
        code: 'deferred',
        message: 'it is deferred until 2026-11-21T10:00:01.000Z',
        until: later,
      },
    ]);
  });

  it('a bead backs off after its failures, and its next attempt is counted from them', () => {
    const failures = (lastSecondsAgo: number): Failures => ({
      count: 2,
      backOffCount: 2,
      lastSecondsAgo,
      reopenedSecondsAgo: undefined,
    });
    const waitMs = backOffMs('code-a1', 2, backOff);
    const before = decideOn(candidate({}, { failures: failures(waitMs / 1000 - 10) }));
    expect(before.skipped).toMatchObject([
      { code: 'back-off', message: expect.stringMatching(/^back-off until .* after 2 failures$/) },
    ]);
    expect(before.skipped[0]?.until?.getTime()).toBeCloseTo(now.getTime() + 10_000, -1);
    const after = decideOn(candidate({}, { failures: failures(waitMs / 1000) }));
    expect(after.eligible).toMatchObject([{ attempt: 3, backOffCount: 3 }]);
    const ahead = decideOn(candidate({}, { failures: failures(Number.POSITIVE_INFINITY) }));
    expect(ahead.eligible, 'a clock that was set back').toHaveLength(1);
  });
});

describe('the limits of a tick', () => {
  const state: TickState = {
    isStopping: false,
    isTimeOver: false,
    taken: 0,
    freeCapacity: undefined,
    inFlight: 0,
    missesInARow: 0,
    wasBusy: false,
  };
  const bounded = { ...policy, maxInFlight: 7 };

  it.each<[StopCode | undefined, Partial<TickState>]>([
    [undefined, {}],
    [undefined, { taken: 9, inFlight: 6, freeCapacity: 10, missesInARow: 1 }],
    ['stopping', { isStopping: true, isTimeOver: true }],
    ['time-over', { isTimeOver: true, taken: 10 }],
    ['tick-full', { taken: 10 }],
    ['no-capacity', { freeCapacity: 0 }],
    ['no-capacity', { taken: 2, freeCapacity: 2 }],
    ['agent-service-away', { freeCapacity: 'no-answer' }],
    ['in-flight', { inFlight: 7 }],
    ['failures-in-a-row', { missesInARow: 2 }],
    ['beadboard-busy', { wasBusy: true }],
  ])('the stop reason of a tick is %s', (code, fields) => {
    expect(stopReason({ ...state, ...fields }, bounded)).toBe(code);
  });

  it('a tick has no limit of beads in flight without MAX_IN_FLIGHT', () => {
    expect(hasRoom(policy, 500)).toBe(true);
  });

  it('a tick that ended at its own limit asks for another tick if it took a bead', () => {
    expect(isDispatchDue('tick-full', 1)).toBe(true);
    expect(isDispatchDue('time-over', 1)).toBe(true);
    expect(isDispatchDue('time-over', 0)).toBe(false);
    expect(isDispatchDue('beadboard-busy', 1)).toBe(false);
    expect(isDispatchDue(undefined, 1)).toBe(false);
  });
});

describe('back-off', () => {
  it('the back-off doubles up to its maximum, and its upper half is random', () => {
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

  it('the back-off of a bead is the same each time it is computed', () => {
    expect(backOffMs('code-a1', 3, backOff)).toBe(backOffMs('code-a1', 3, backOff));
  });
});
