import { describe, expect, it } from 'vitest';

import { breakerOf } from '../../shared/rules/breaker.ts';
import {
  countFailures,
  countMisses,
  elapsedSeconds,
  NO_MISSES,
} from '../../shared/beads/rows/history.ts';
import { pastEventOf, type PastEvent } from '../../shared/beads/rows/past-event.ts';
import { decideOrphan } from '../../shared/rules/orphan.ts';

const BEADS = ['code-a', 'code-b', 'code-c'];

describe('the breaker', () => {
  it('the breaker opens with the fifth miss of at least three beads', () => {
    expect(breakerOf(NO_MISSES)).toEqual({ kind: 'closed' });
    expect(breakerOf({ count: 4, beads: BEADS, lastSecondsAgo: 0 })).toEqual({ kind: 'closed' });
    expect(breakerOf({ count: 9, beads: ['code-a', 'code-b'], lastSecondsAgo: 0 })).toEqual({
      kind: 'closed',
    });
    expect(breakerOf({ count: 5, beads: BEADS, lastSecondsAgo: 0 })).toEqual({
      kind: 'open',
      misses: 5,
      restSeconds: 180,
    });
  });

  it('the breaker stays open twice as long with each further miss, at most 15 minutes', () => {
    const rest = (count: number) => breakerOf({ count, beads: BEADS, lastSecondsAgo: 10 });
    expect(rest(6)).toMatchObject({ restSeconds: 350 });
    expect(rest(7)).toMatchObject({ restSeconds: 710 });
    expect(rest(8)).toMatchObject({ restSeconds: 890 });
    expect(rest(5000)).toMatchObject({ restSeconds: 890 });
  });

  it('the breaker allows one dispatch when a person touched one of the beads after the last miss', () => {
    const misses = { count: 9, beads: BEADS, lastSecondsAgo: 30 };
    expect(breakerOf(misses, 29)).toEqual({ kind: 'half-open' });
    expect(breakerOf(misses, 31).kind).toBe('open');
  });

  it('the breaker allows one dispatch when its open time is over', () => {
    expect(breakerOf({ count: 5, beads: BEADS, lastSecondsAgo: 179 }).kind).toBe('open');
    expect(breakerOf({ count: 5, beads: BEADS, lastSecondsAgo: 180 })).toEqual({
      kind: 'half-open',
    });
  });
});

describe('misses', () => {
  const event = (beadId: string, kind: PastEvent['kind'], secondsAgo = 1): PastEvent => ({
    beadId,
    kind,
    secondsAgo,
  });

  it('misses are counted back to the last success, and a busy answer is no miss', () => {
    expect(countMisses([])).toEqual({ count: 0, beads: [], lastSecondsAgo: undefined });
    expect(
      countMisses([
        event('a', 'none', 3),
        event('a', 'failed', 5),
        event('b', 'busy', 6),
        event('b', 'unknown', 7),
        event('a', 'failed', 8),
        event('c', 'dispatched', 9),
        event('c', 'failed', 10),
      ]),
    ).toEqual({ count: 3, beads: ['a', 'b'], lastSecondsAgo: 5 });
  });
});

describe('a clock that was set back', () => {
  it('a clock that was set back makes no bead wait for hours, and a few seconds count as zero', () => {
    expect(elapsedSeconds(-3_600)).toBe(Number.POSITIVE_INFINITY);
    expect(elapsedSeconds(-5)).toBe(0);
    expect(elapsedSeconds(5)).toBe(5);
    const ahead = ['a', 'b', 'c', 'd', 'e'].map((id) => ({
      beadId: id,
      kind: 'failed' as const,
      secondsAgo: -7_200,
    }));
    expect(breakerOf(countMisses(ahead)).kind).toBe('half-open');
    expect(countFailures(ahead.slice(0, 1))).toMatchObject({
      count: 1,
      lastSecondsAgo: Number.POSITIVE_INFINITY,
    });
  });
});

describe('a past event', () => {
  const row = {
    issue_id: 'code-a1',
    event_type: 'updated',
    actor: 'beads-dispatcher',
    tail: '"}',
    has_assignee: 0,
    seconds_ago: 7,
  };
  /** What bd writes when the newest note is this. */
  const notes = (...lines: string[]) => JSON.stringify({ notes: ['claimed', ...lines].join('\n') });
  const opened = (...lines: string[]) => ({
    event_type: 'status_changed',
    tail: JSON.stringify({ notes: ['claimed', ...lines].join('\n'), status: 'open' }),
  });

  it.each([
    [opened('dispatch failed HTTP 500: x'), 'failed'],
    [opened('dispatch failed HTTP 409: {"error":"Agent is busy"}'), 'busy'],
    [opened('dispatch failed HTTP 502: {"error":"Queue full"}'), 'busy'],
    [opened('dispatch failed HTTP 502: {"error":"Queue full\\nof eels"}'), 'busy'],
    [opened('dispatch failed HTTP 400: the queue full of eels'), 'failed'],
    [opened('dispatch failed HTTP 409: Agent is busy', 'dispatch failed HTTP 500: x'), 'failed'],
    [{ event_type: 'status_changed', tail: '{"notes":"a","status":"in_progress"}' }, 'none'],
    [{ event_type: 'status_changed', tail: '{"notes":"a","status":"blocked"}' }, 'none'],
    [{ tail: notes('dispatched: job=1') }, 'dispatched'],
    [{ tail: '{"notes":"dispatched: job=1"}' }, 'dispatched'],
    [{ tail: notes('dispatch outcome unknown: x') }, 'unknown'],
    [{ tail: notes('dispatch outcome unknown: {"error":"a\\ndispatched: b"}') }, 'unknown'],
    [{ tail: notes('dispatch failed HTTP 500: x') }, 'missed'],
    [{ tail: notes('dispatch failed HTTP 409: Agent is busy') }, 'none'],
    [{ ...opened('dispatch failed HTTP 500: x'), actor: 'beads-reaper' }, 'none'],
    [{ ...opened(), actor: 'person' }, 'reset'],
    [{ actor: 'person', event_type: 'reopened' }, 'reopened'],
    [{ actor: 'person', event_type: 'claimed' }, 'reset'],
    [{ actor: 'person', has_assignee: 1 }, 'reset'],
    [{ actor: 'person', tail: notes('dispatched: job=1') }, 'none'],
    [{ actor: 'person', event_type: 'closed', has_assignee: 1 }, 'none'],
  ])('a past event with %j is %s', (fields, kind) => {
    expect(pastEventOf({ ...row, ...fields })).toEqual({ beadId: 'code-a1', kind, secondsAgo: 7 });
  });
});

describe('a claim without an outcome', () => {
  it.each([
    [{ alive: true, mayHavePosted: false }, 'leave'],
    [{ alive: true, mayHavePosted: true }, 'leave'],
    [{ alive: false, mayHavePosted: false }, 'release'],
    [{ alive: false, mayHavePosted: true }, 'unconfirmed'],
  ])(
    'a claim without an outcome, with the evidence %j, leads to the decision %s',
    (evidence, verdict) => {
      expect(decideOrphan(evidence)).toBe(verdict);
    },
  );
});
