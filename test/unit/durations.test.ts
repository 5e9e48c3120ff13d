import { describe, expect, it } from 'vitest';

import type { PastChange } from '../../shared/beads/rows/past-change.ts';
import { DurationFinder } from '../../shared/views/durations.ts';

const change = (second: number, fields: Partial<PastChange>): PastChange => ({
  id: `e${second}`,
  beadId: 'code-a',
  at: new Date(Date.parse('2026-11-21T10:00:00Z') + second * 1000),
  actor: 'person',
  type: 'status_changed',
  status: undefined,
  assignee: undefined,
  note: undefined,
  ...fields,
});
const ours = (second: number, fields: Partial<PastChange>) =>
  change(second, { actor: 'beads-dispatcher', ...fields });
const dispatched = (second: number) => ours(second, { type: 'updated', note: 'dispatched: job=1' });

function durationsIn(...changes: PastChange[]) {
  const finder = new DurationFinder('agent');
  return changes.flatMap((each) => finder.next(each)).map(({ of, seconds }) => [of, seconds]);
}

describe('durations', () => {
  it('a pickup counts from the last change that made a bead the agent’s, a run from its dispatch', () => {
    expect(
      durationsIn(
        change(0, { type: 'created' }),
        change(100, { type: 'updated', assignee: 'agent' }),
        change(105, { type: 'updated' }),
        ours(108, { status: 'in_progress' }),
        dispatched(110),
        change(150, { type: 'updated', note: 'claimed by agent 0123456789ab' }),
        change(710, { type: 'closed' }),
        change(800, { type: 'updated', assignee: 'person' }),
      ),
    ).toEqual([
      ['pickup', 10],
      ['run', 600],
    ]);
  });

  it('a failure counts anew; what ends a run is a reap, a block, a reopen or another assignee', () => {
    expect(
      durationsIn(
        change(0, { type: 'created' }),
        ours(10, { status: 'open', note: 'dispatch failed HTTP 500: no' }),
        dispatched(40),
        change(100, { actor: 'beads-reaper', status: 'blocked' }),
        change(200, { type: 'reopened', status: 'open' }),
        dispatched(201),
        change(231, { status: 'blocked' }),
        change(300, { status: 'open' }),
        dispatched(303),
        change(333, { status: 'open' }),
        dispatched(335),
        change(340, { type: 'updated', assignee: 'ann' }),
      ),
    ).toEqual([
      ['pickup', 30],
      ['run', 60],
      ['pickup', 1],
      ['run', 30],
      ['pickup', 3],
      ['run', 30],
      ['pickup', 2],
      ['run', 5],
    ]);
  });

  it('a dispatch without a beginning, and a claim that is given up, make none; beads are apart', () => {
    expect(
      durationsIn(
        dispatched(5),
        change(6, { beadId: 'code-b', type: 'created' }),
        ours(7, { beadId: 'code-b', status: 'blocked' }),
        dispatched(9),
      ),
    ).toEqual([]);
    expect(durationsIn(change(9, { type: 'created' }), dispatched(5))).toEqual([['pickup', 0]]);
  });
});
