import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { BeadBoard } from '../shared/targets/beadboard/beadboard.ts';
import { FunctionProcess } from './world/function.ts';
import { Scene } from './world/scene.ts';

/** bd makes a bead of this size from a file. */
const HUGE = 'x'.repeat(10_000_000);
const hugeMetadata = JSON.stringify({ big: HUGE });

/** Before and after bd renews a cell of its own with every write; before 49 no text is so large. */
describe.each([49, 65] as const)('a bead of 10 MB on schema %i', (generation) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(generation);
  });
  afterEach(async () => {
    await scene.close();
  });

  it('a bead of 10 MB is skipped with a reason and stops no other bead', async () => {
    await scene.tracker.create('code-text', { assignee: 'agent', description: HUGE, priority: 0 });
    await scene.tracker.create('code-notes', { assignee: 'agent', notes: HUGE, priority: 0 });
    await scene.tracker.create('code-json', {
      assignee: 'agent',
      metadata: hugeMetadata,
      priority: 0,
    });
    await scene.tracker.create('code-small', { assignee: 'agent' });

    expect(await scene.dispatch()).toMatchObject({ dispatched: 1, skipped: 3, errors: 0 });
    expect(scene.board.posts).toEqual(['code-small']);
    const { skipped } = scene.logged.find(({ msg }) => msg === 'skipped') ?? {};
    expect(JSON.stringify(skipped)).toContain('it is too large: 10000');
  });

  it.each([
    ['description', { description: HUGE }],
    ['notes', { notes: HUGE }],
    ['metadata', { metadata: hugeMetadata }],
  ])('the reaper blocks a bead in progress whose %s is 10 MB', async (_, fields) => {
    await scene.tracker.create('code-a', {
      assignee: 'agent',
      status: 'in_progress',
      updated_at: '2026-11-01 10:00:00',
      ...fields,
    });
    expect(await scene.reap()).toMatchObject({ blocked: 1, errors: 0 });
    const { status, notes } = await scene.tracker.show('code-a');
    expect(status).toBe('blocked');
    expect(notes.split('\n').at(-1)).toMatch(/^reaper: no progress for \d+m/);
    const events = await scene.tracker.eventsBy('beads-reaper', 'code-a');
    expect(events).toMatchObject([{ event_type: 'status_changed' }]);
    expect(events[0]?.new_value.length).toBeLessThan(200);
  });

  it('a bead that grew to 10 MB while BeadBoard was asked gets its job noted', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    scene.board.onPost = async (id) => {
      await scene.tracker.note(id, HUGE);
      return undefined;
    };
    await scene.dispatch({ beadboard: new BeadBoard(scene.board.url, 30_000) });
    const { notes } = await scene.tracker.show('code-a');
    expect(notes.slice(-40)).toContain('dispatched: job=');
  });
});

describe('a function with little memory', () => {
  let scene: Scene;
  let dispatch: FunctionProcess;
  beforeAll(async () => {
    scene = await Scene.open();
    // Less than V8 takes in the manifests' 256 MiB.
    const heap = { NODE_OPTIONS: '--max-semi-space-size=2 --max-old-space-size=96' };
    dispatch = await FunctionProcess.start('dispatch', { ...scene.environment(), ...heap });
  });
  afterAll(async () => {
    await dispatch.stop();
    await scene.close();
  });

  it('a function with little memory completes a tick over 500 beads with notes of 200 KB each', async () => {
    await scene.tracker.sql(`
      INSERT INTO issues (id, title, description, design, acceptance_criteria, notes, assignee)
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 500)
      SELECT CONCAT('code-', n), 'Work', '', '', '', REPEAT('n', 200000), 'agent' FROM numbers`);
    await scene.tracker.create('code-good', { assignee: 'agent' });
    expect(await dispatch.tick()).toBe(204);
    expect(scene.board.posts).toEqual(['code-good']);
  });
});
