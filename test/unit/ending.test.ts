import { describe, expect, it } from 'vitest';

import type { ParsedBead } from '../../shared/beads/rows/bead.ts';
import { breakerValue, followUpsOf, followUpValue } from '../../shared/beads/rows/follow-up.ts';
import type { PastChange } from '../../shared/beads/rows/past-change.ts';
import { breakerNews } from '../../shared/rules/breaker.ts';
import { completionOf, endedIn } from '../../shared/rules/ending.ts';
import { aBead } from '../world/bead.ts';

const at = new Date('2026-11-21T10:00:00.900Z');
const after = (seconds: number) => new Date(Date.parse('2026-11-21T10:00:00Z') + seconds * 1000);
const now = after(600);
const summary = { id: 'code-a1', title: 'A bead', priority: 2 };
const followUp = { token: 't1', bead: summary, attempt: 2, jobId: 'job-1', at };
const marker = { name: 'dispatched', token: 't1', about: 'job-1' } as const;

const found = (fields: Parameters<typeof aBead>[0]): ParsedBead => ({
  ok: true,
  bead: aBead({ status: 'in_progress', marker, ...fields }),
});
const change = (fields: Partial<PastChange>): PastChange => ({
  id: 'e1',
  beadId: 'code-a1',
  at: after(60),
  actor: 'person',
  type: 'updated',
  status: undefined,
  assignee: undefined,
  note: undefined,
  ...fields,
});
const told = (bead: ParsedBead | undefined, ...changes: PastChange[]) =>
  completionOf(followUp, bead, changes, now, 'agent')?.payload.data;

describe('the end of a dispatch', () => {
  it('has not come while the bead is in progress under its token, or cannot be read', () => {
    expect(told(found({}))).toBeUndefined();
    expect(told({ ok: false, id: 'code-a1', problem: 'title' })).toBeUndefined();
  });

  it('says who closed, blocked, reopened or took the bead, and how long after the dispatch', () => {
    const closed = change({ type: 'closed', actor: 'agent' });
    expect(told(found({ status: 'closed' }), closed)).toEqual({
      bead: summary,
      attempt: 2,
      jobId: 'job-1',
      dispatchId: 't1',
      outcome: 'closed',
      status: 'closed',
      by: 'agent',
      seconds: 59,
    });
    const cases = [
      [found({ status: 'closed' }), change({ status: 'closed' }), 'closed'],
      [found({ status: 'blocked' }), change({ status: 'blocked' }), 'blocked'],
      [found({ status: 'open' }), change({ status: 'open' }), 'reopened'],
      [found({ status: 'open' }), change({ type: 'reopened' }), 'reopened'],
      [found({ assignee: 'ann' }), change({ assignee: 'ann' }), 'taken-over'],
      [found({ assignee: 'ann' }), change({ type: 'claimed' }), 'taken-over'],
      [found({ marker: { name: 'claimed', token: 't2' } }), change({ status: 'open' }), 'reopened'],
    ] as const;
    for (const [bead, by, outcome] of cases) {
      expect(told(bead, by)).toMatchObject({ outcome, by: 'person', seconds: 59 });
    }
  });

  it('is told without a name where the history does not say, as of a bead that was deleted', () => {
    expect(told(undefined)).toMatchObject({
      outcome: 'deleted',
      status: null,
      by: null,
      seconds: 599,
    });
    const unrelated = [
      change({}),
      change({ status: 'in_progress' }),
      change({ at: after(-1), type: 'closed' }),
      change({ actor: 'beads-reaper', type: 'closed' }),
      change({ actor: 'beads-dispatcher', status: 'closed' }),
    ];
    expect(told(found({ status: 'closed' }), ...unrelated)).toMatchObject({ by: null });
    expect(told(found({ status: 'blocked' }), ...unrelated)).toMatchObject({ by: null });
    expect(told(found({ status: 'open' }), ...unrelated.slice(0, 2))).toMatchObject({ by: null });
    expect(told(found({ assignee: 'ann' }), ...unrelated)).toMatchObject({ by: null });
  });

  it('takes the last change that fits, and one in the second of the dispatch counts as at once', () => {
    const first = change({ at: after(0), type: 'closed', actor: 'early' });
    expect(told(found({ status: 'closed' }), first)).toMatchObject({ by: 'early', seconds: 0 });
    const later = change({ type: 'closed', actor: 'late' });
    expect(told(found({ status: 'closed' }), first, later)).toMatchObject({ by: 'late' });
  });

  it('is noticed in a snapshot unless the bead is in progress under its token, or its row is bad', () => {
    const snapshot = (fields: object) => ({
      now,
      outbox: { unsentSince: undefined, parked: 0, retryAt: undefined },
      hasOldIntents: false,
      open: [],
      misses: { count: 0, beads: [], lastSecondsAgo: undefined },
      followUps: { dispatches: [followUp], breakerOpenedAt: undefined },
      inProgress: [],
      badRows: [],
      ...fields,
    });
    expect(endedIn(snapshot({}))).toEqual([followUp]);
    expect(endedIn(snapshot({ inProgress: [aBead({ id: 'renamed', marker })] }))).toEqual([]);
    expect(endedIn(snapshot({ badRows: [{ id: 'code-a1', problem: '' }] }))).toEqual([]);
  });
});

describe('follow-ups', () => {
  it('are read as they are written; what is not one is left out', () => {
    const { token, ...rest } = followUp;
    const rows = [
      { key: 'beads-dispatch.follow-up.t1', value: followUpValue(rest) },
      { key: 'beads-dispatch.follow-up.t2', value: 'no JSON' },
      { key: 'beads-dispatch.follow-up.breaker', value: breakerValue(at) },
    ];
    expect(followUpsOf(rows)).toEqual({ dispatches: [{ ...rest, token }], breakerOpenedAt: at });
    expect(followUpsOf([])).toEqual({ dispatches: [], breakerOpenedAt: undefined });
  });
});

describe('news of the breaker', () => {
  const beads = ['a', 'b', 'c'];
  const misses = (lastSecondsAgo: number) => ({ count: 5, beads, lastSecondsAgo });

  it('is told when it opens, with its end and the failures, and not again while it is open', () => {
    expect(breakerNews(misses(80), undefined, now)).toEqual({
      at: now,
      payload: {
        name: 'breaker.opened.v1',
        data: { until: after(700).toISOString(), failures: 5, beads },
      },
    });
    expect(breakerNews(misses(500), undefined, now)?.payload.data).toMatchObject({
      until: now.toISOString(),
    });
    expect(breakerNews(misses(80), at, now)).toBeUndefined();
    expect(breakerNews(misses(500), at, now)).toBeUndefined();
  });

  it('is told when it closes, and not again', () => {
    const none = { count: 0, beads: [], lastSecondsAgo: undefined };
    expect(breakerNews(none, after(0), now)).toEqual({
      at: now,
      payload: { name: 'breaker.closed.v1', data: { seconds: 600 } },
    });
    expect(breakerNews(none, after(601), now)?.payload.data).toEqual({ seconds: 0 });
    expect(breakerNews(none, undefined, now)).toBeUndefined();
  });
});
