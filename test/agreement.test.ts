import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SkipReport } from '../functions/dispatch/skip-report.ts';
import { toCloudEventFrom } from '../shared/events/to-cloud-event.ts';
import { nextTick } from '../shared/rules/next-tick.ts';
import type { Policy } from '../shared/rules/policy.ts';
import { listOf, type ListedBead } from '../shared/views/list.ts';
import { statusOf } from '../shared/views/status.ts';
import { whyOf, type WhyView } from '../shared/views/why.ts';
import { Metrics } from '../sources/watch/metrics.ts';
import { StateReader } from '../sources/watch/state-reader.ts';
import type { StateView } from '../sources/watch/state-view.ts';
import { GENERATIONS, type Generation } from './world/bd-schema.ts';
import { Scene } from './world/scene.ts';

/**
 * What people are told and what the dispatcher does must be the same: random beads with random
 * histories are written into a real database, every view is asked, and then the tick runs.
 */
const STATES = Number(process.env['AGREEMENT_STATES'] ?? 200);
const SEED = Number(process.env['AGREEMENT_SEED'] ?? 20_261_127);

/** Far from every limit: a wait must not end between the question and the tick. */
const BACK_OFF = { baseMs: 3_600_000, maxMs: 3_600_000 };
const AGES_SECONDS = [10, 1_200, 10_000] as const;

interface Past {
  kind: 'failed' | 'busy' | 'dispatched' | 'unknown' | 'moved' | 'reopened';
  secondsAgo: number;
}
interface RandomBead {
  status: string;
  assignee: string | null;
  criteria: string;
  type: string;
  priority: number;
  minutesOld: number;
  flag: 'none' | 'pinned' | 'ephemeral' | 'is_template';
  defer: 'no' | 'past' | 'future';
  metadata: string | null;
  past: Past[];
  /** Index of the bead that it waits for, and how. */
  waitsFor: { on: number; as: 'blocks' | 'parent-child' | 'related' } | undefined;
}

const past: fc.Arbitrary<Past> = fc.record({
  kind: fc.constantFrom('failed', 'failed', 'busy', 'dispatched', 'unknown', 'moved', 'reopened'),
  secondsAgo: fc.constantFrom(...AGES_SECONDS),
});
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
const bead: fc.Arbitrary<RandomBead> = fc.record({
  status: mostly('open', 'in_progress', 'blocked', 'closed', 'deferred'),
  assignee: mostly<string | null>('agent', 'Agent', 'person', null),
  criteria: mostly('It works.', '', '  '),
  type: mostly('task', 'epic', 'gate', 'message'),
  priority: fc.integer({ min: 0, max: 4 }),
  minutesOld: fc.constantFrom(5, 10, 15),
  flag: mostly<RandomBead['flag']>('none', 'pinned', 'ephemeral', 'is_template'),
  defer: mostly<RandomBead['defer']>('no', 'past', 'future'),
  metadata: mostly<string | null>('{}', null, '[1]', '{"beads_auto_dispatch":"theirs"}'),
  past: fc.array(past, { maxLength: 3 }),
  waitsFor: mostly<RandomBead['waitsFor']>(
    undefined,
    { on: 0, as: 'blocks' },
    { on: 1, as: 'parent-child' },
    { on: 0, as: 'related' },
  ),
});
const state = fc.record({
  beads: fc.array(bead, { minLength: 2, maxLength: 9 }),
  maxDispatchesPerTick: fc.constantFrom(1, 3, 10),
  maxInFlight: fc.constantFrom(undefined, undefined, 1, 3),
  isBeadBoardBusy: mostly(false, true),
});
type State = typeof state extends fc.Arbitrary<infer T> ? T : never;

const idOf = (index: number) => `code-${index}`;
/** Printed at the end, so that a reader sees how much was tried. */
const totals = { states: 0, beads: 0, dispatched: 0, skipped: 0 };
const codes = new Map<string, number>();

describe.each(GENERATIONS)('on schema %i', (generation) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open(generation);
  });
  afterAll(async () => {
    await scene.close();
    if (generation === GENERATIONS.at(-1)) console.log(totals, Object.fromEntries(codes));
  });

  it('why, next, list, status, the API and the metrics say exactly what the tick then does', async () => {
    await fc.assert(
      fc.asyncProperty(state, async (wanted) => {
        await write(scene, generation, wanted);
        await expectAgreement(scene, wanted);
      }),
      {
        numRuns: Math.ceil(STATES / GENERATIONS.length),
        seed: SEED + generation,
        endOnFailure: true,
      },
    );
  }, 900_000);
});

async function expectAgreement(scene: Scene, wanted: State): Promise<void> {
  const policy: Policy = {
    retry: { maxAttempts: 99, backOff: BACK_OFF },
    maxDispatchesPerTick: wanted.maxDispatchesPerTick,
    maxInFlight: wanted.maxInFlight,
  };
  const { isBeadBoardBusy } = wanted;
  const surroundings = { freeCapacity: undefined, isBeadBoardBusy };
  const told = await scene.database.inspect(envelope, async (beads, inspector) => {
    const snapshot = await beads.readSnapshot();
    const overview = await inspector.overview();
    const about = { sentinel: 'agent', paused: false, surroundings, changes: [] };
    const whys = new Map<string, WhyView>();
    for (const index of wanted.beads.keys()) {
      const id = idOf(index);
      whys.set(id, whyOf(id, await inspector.find(id), snapshot, policy, about));
    }
    return {
      next: nextTick(snapshot, policy, surroundings),
      list: listOf(snapshot, overview.blocked, policy, surroundings),
      status: statusOf({ snapshot, policy, assignee: 'agent', paused: false, overview }),
      whys,
    };
  });
  const api = await new StateReader({
    database: scene.database,
    newToCloudEvent: () => envelope,
    policy,
    assignee: 'agent',
    paused: false,
  }).state();

  scene.board.posts.length = 0;
  scene.board.capacity = isBeadBoardBusy ? 0 : Number.POSITIVE_INFINITY;
  scene.logged.length = 0;
  const counts = await scene.dispatch({ policy, skipReport: new SkipReport() });
  const posts = [...scene.board.posts];
  const reasons = reasonsLogged(scene);
  // What waits for a half-open breaker goes after all when the one that is tried is accepted.
  for (const id of posts) reasons.delete(id);

  expect(
    told.next.dispatch.map(({ bead: { id } }) => id),
    'next',
  ).toEqual(posts);
  const nextCodes = new Map([
    ...told.next.skipped.map(({ id, code }) => [id, code] as const),
    ...told.next.waiting.map(({ bead: { id } }) => [id, told.next.waitsFor?.code ?? ''] as const),
  ]);
  expect(sorted(nextCodes), 'next, of those that do not go').toEqual(sorted(reasons));
  for (const [id, why] of told.whys) {
    expect(why.dispatchable, `why ${id}`).toBe(posts.includes(id));
    if (reasons.has(id)) expect(why.reasons[0]?.code, `why ${id}`).toBe(reasons.get(id));
  }
  expectListed(told.list, posts, reasons);
  expectCounted(told.status.counts, told.list);
  await expectServed(api, told.list, isBeadBoardBusy);

  totals.states += 1;
  totals.beads += wanted.beads.length;
  totals.dispatched += counts.dispatched;
  totals.skipped += reasons.size;
  for (const code of reasons.values()) codes.set(code, (codes.get(code) ?? 0) + 1);
}

function expectListed(
  list: readonly ListedBead[],
  posts: readonly string[],
  reasons: ReadonlyMap<string, string>,
): void {
  const eligible = list.filter(({ state: each }) => each === 'eligible');
  expect(
    eligible.filter(({ why }) => why === '').map(({ id }) => id),
    'list',
  ).toEqual(posts);
  const waits = list.filter(
    ({ state: each, why }) =>
      ['back-off', 'skipped'].includes(each) || (each === 'eligible' && why !== ''),
  );
  expect(
    sorted(new Map(waits.map(({ id, why }) => [id, why]))),
    'list, of those that wait',
  ).toEqual(sorted(reasons));
}

function expectCounted(counts: StateView['status']['counts'], list: readonly ListedBead[]): void {
  const of = (wanted: ListedBead['state']) =>
    list.filter(({ state: each }) => each === wanted).length;
  expect(counts, 'status').toEqual({
    eligible: of('eligible'),
    backOff: of('back-off'),
    inProgress: of('in-progress'),
    skipped: of('skipped'),
    blocked: of('blocked'),
  });
}

/** The watcher asks BeadBoard nothing, so that it cannot know that it is busy. */
async function expectServed(
  api: StateView,
  list: readonly ListedBead[],
  isBeadBoardBusy: boolean,
): Promise<void> {
  if (!isBeadBoardBusy) {
    const known = ({ id, state: each, why }: ListedBead) => [id, each, why];
    expect(api.beads.map(known), 'the API').toEqual(list.map(known));
  }
  expectCounted(api.status.counts, list);
  const lines = (await new Metrics().of(api)).split('\n');
  for (const [name, count] of [
    ['eligible', api.status.counts.eligible],
    ['back-off', api.status.counts.backOff],
    ['skipped', api.status.counts.skipped],
    ['in-progress', api.status.counts.inProgress],
    ['blocked', api.status.counts.blocked],
  ] as const) {
    expect(lines, 'metrics').toContain(`beads_dispatch_beads{state="${name}"} ${count}`);
  }
}

const sorted = (map: ReadonlyMap<string, string>) =>
  [...map].toSorted(([a], [b]) => a.localeCompare(b));

/** Why the tick took each of the others, as it logged it. */
function reasonsLogged({ logged }: Scene): Map<string, string> {
  const found = new Map<string, string>();
  for (const { msg, skipped, code } of logged) {
    if (!Array.isArray(skipped)) continue;
    for (const each of skipped) {
      if (msg === 'skipped') found.set(String(each.id), String(each.code));
      else found.set(String(each), String(code));
    }
  }
  return found;
}

const envelope = toCloudEventFrom({
  project: '/beads/test',
  function: 'test',
  traceparent: '00-00000000000000000000000000000001-0000000000000001-01',
  extensions: {},
});

/** Replaces all beads of the database by those of the state. */
async function write({ tracker }: Scene, generation: Generation, { beads }: State): Promise<void> {
  await tracker.sql('SET foreign_key_checks = 0');
  for (const table of ['issues', 'events', 'dependencies', 'local_metadata'])
    await tracker.sql(`DELETE FROM ${table}`);
  await tracker.sql('SET foreign_key_checks = 1');
  for (const [index, each] of beads.entries()) {
    const fields = {
      id: idOf(index),
      title: `Bead ${index}`,
      description: '',
      design: '',
      notes: '',
      acceptance_criteria: each.criteria,
      status: each.status,
      assignee: each.assignee,
      issue_type: each.type,
      priority: each.priority,
      metadata: each.metadata,
      ...(each.flag === 'none' ? {} : { [each.flag]: 1 }),
    };
    await tracker.sql('INSERT INTO issues SET ?', [fields]);
    const defer = {
      no: 'NULL',
      past: 'UTC_TIMESTAMP() - INTERVAL 1 DAY',
      future: 'UTC_TIMESTAMP() + INTERVAL 1 DAY',
    };
    await tracker.sql(
      `UPDATE issues SET updated_at = UTC_TIMESTAMP() - INTERVAL ? MINUTE, started_at = ${each.past.length === 0 ? 'NULL' : 'UTC_TIMESTAMP()'},
              defer_until = ${defer[each.defer]} WHERE id = ?`,
      [each.minutesOld, idOf(index)],
    );
    for (const [nth, event] of each.past.entries())
      await writePast(tracker, idOf(index), nth, event);
  }
  for (const [index, { waitsFor }] of beads.entries()) {
    if (waitsFor === undefined || waitsFor.on === index) continue;
    await tracker.depend(idOf(index), idOf(waitsFor.on), waitsFor.as);
    const on = beads[waitsFor.on]?.status;
    if (generation >= 46 && waitsFor.as === 'blocks' && on === 'closed')
      await tracker.sql('UPDATE issues SET is_blocked = 0 WHERE id = ?', [idOf(index)]);
  }
  await tracker.sql(
    "CALL DOLT_COMMIT('-A', '-m', 'a random state', '--author', 'test <test@local>', '--allow-empty')",
  );
}

const ROWS: Readonly<Record<Past['kind'], readonly [actor: string, type: string, value: string]>> =
  {
    failed: [
      'beads-dispatcher',
      'status_changed',
      '{"notes":"dispatch failed HTTP 500: no","status":"open"}',
    ],
    busy: [
      'beads-dispatcher',
      'status_changed',
      '{"notes":"dispatch failed HTTP 409: Agent is busy","status":"open"}',
    ],
    dispatched: ['beads-dispatcher', 'updated', '{"notes":"dispatched: job=0123456789ab"}'],
    unknown: ['beads-dispatcher', 'updated', '{"notes":"dispatch outcome unknown: no answer"}'],
    moved: ['person', 'status_changed', '{"status":"open"}'],
    reopened: ['person', 'reopened', '{"status":"open"}'],
  };

async function writePast(
  tracker: Scene['tracker'],
  id: string,
  nth: number,
  { kind, secondsAgo }: Past,
): Promise<void> {
  const [actor, type, value] = ROWS[kind];
  const hex = (number: number) => number.toString(16).padStart(12, '0');
  const eventId = `01900000-0000-7000-8000-${hex(Number(id.slice(5)) * 16 + nth)}`;
  await tracker.sql(
    `INSERT INTO events (id, issue_id, event_type, actor, old_value, new_value, created_at)
     VALUES (?, ?, ?, ?, '{}', ?, CURRENT_TIMESTAMP() - INTERVAL ? SECOND)`,
    [eventId, id, type, actor, value, secondsAgo],
  );
}
