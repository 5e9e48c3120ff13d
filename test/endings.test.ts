import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { endsTold, expectAudited } from './world/audit.ts';
import { GENERATIONS } from './world/bd-schema.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';

const COMPLETED = 'io.beads.dispatch.completed.v1';
let scene: Scene;
afterEach(async () => {
  await scene.close();
});

const told = (type: string) => scene.sink.events.filter((event) => event.type === type);

describe.each(GENERATIONS)('the end of a dispatch, on schema %i', (generation) => {
  beforeEach(async () => {
    scene = await Scene.open(generation);
    scene.board.capacity = Number.POSITIVE_INFINITY;
  });

  it('is told once, with who did what, by the next tick of either function', async () => {
    const { tracker } = scene;
    const ids = ['close', 'block', 'open', 'take', 'delete', 'stay', 'reap'].map(
      (id) => `code-${id}`,
    );
    for (const id of ids) await tracker.create(id, { assignee: 'agent' });
    expect(await scene.dispatch()).toMatchObject({ dispatched: ids.length, completed: 0 });
    await tracker.closeBead('code-close', 'done', 'agent');
    await tracker.update('code-block', { status: 'blocked' }, 'agent');
    await tracker.update('code-open', { status: 'open', assignee: '' }, 'ann');
    await tracker.assign('code-take', 'bob', 'bob');
    await tracker.remove('code-delete');
    await tracker.age('code-reap', 45);

    expect(await scene.reap()).toMatchObject({ completed: 5, blocked: 1 });
    expect(await scene.reap()).toMatchObject({ completed: 0 });
    expect(await scene.dispatch()).toMatchObject({ completed: 0 });

    const facts = told(COMPLETED).map(({ subject, source, data }) => ({ subject, source, data }));
    const source = `/beads/${scene.settings.database}/dispatch`;
    const fact = (id: string, outcome: string, by: string | null) => ({
      subject: id,
      source,
      data: expect.objectContaining({ outcome, by, attempt: 1, jobId: expect.any(String) }),
    });
    expect(facts).toHaveLength(5);
    expect(facts).toEqual(
      expect.arrayContaining([
        fact('code-close', 'closed', 'agent'),
        fact('code-block', 'blocked', 'agent'),
        fact('code-open', 'reopened', 'ann'),
        fact('code-take', 'taken-over', 'bob'),
        fact('code-delete', 'deleted', null),
      ]),
    );
  });

  it('is told by one of many ticks at once', async () => {
    const { tracker } = scene;
    await tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    await tracker.closeBead('code-a', 'done');
    const counts = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => (n % 2 === 0 ? scene.reap() : scene.dispatch())),
    );
    expect(counts.reduce((sum, { completed }) => sum + completed, 0)).toBe(1);
    expect(endsTold(scene.sink)).toHaveLength(1);
    await expectAudited(scene);
  });

  it('is that of each dispatch when a bead is tried again', async () => {
    const { tracker } = scene;
    await tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    await tracker.update('code-a', { status: 'open' });
    expect(await scene.dispatch()).toMatchObject({ completed: 1, dispatched: 1 });
    await tracker
      .sql("UPDATE issues SET id = 'code-new' WHERE id = 'code-a'")
      .catch(() => undefined);
    await tracker.closeBead('code-a', 'done');
    expect(await scene.dispatch()).toMatchObject({ completed: 1 });
    expect(endsTold(scene.sink)).toEqual(
      told('io.beads.dispatch.dispatched.v1').map(({ id }) => id),
    );
  });
});

describe('the breaker', () => {
  beforeEach(async () => {
    scene = await Scene.open();
  });

  it('tells once that it has opened and once that it has closed, whatever happens in between', async () => {
    const { tracker, board } = scene;
    const policy = {
      ...DEFAULT_POLICY,
      retry: { maxAttempts: 99, backOff: { baseMs: 1, maxMs: 1 } },
    };
    const ids = ['code-a', 'code-b', 'code-c'];
    for (const id of ids) await tracker.create(id, { assignee: 'agent' });
    board.onPost = () => ({ status: 500, json: { error: 'not configured' } });
    // A tick ends after two misses, and the breaker wants three beads: each goes first.
    for (const first of [...ids, ...ids]) {
      await tracker.age(first, 60);
      await scene.dispatch({ policy });
      for (const id of ids) await tracker.ageHistory(id, 1);
    }
    const opened = told('io.beads.breaker.opened.v1');
    expect(opened).toHaveLength(1);
    expect(opened[0]).toMatchObject({
      subject: 'breaker',
      source: `/beads/${scene.settings.database}/dispatch`,
      data: { failures: expect.any(Number), beads: expect.arrayContaining(ids) },
    });
    // Half-open, and it fails again.
    for (const id of ids) await tracker.ageHistory(id, 20);
    await scene.dispatch({ policy });
    expect(told('io.beads.breaker.opened.v1')).toHaveLength(1);
    expect(told('io.beads.breaker.closed.v1')).toEqual([]);

    board.onPost = undefined;
    for (const id of ids) await tracker.ageHistory(id, 20);
    const ticks = await Promise.all([scene.dispatch({ policy }), scene.dispatch({ policy })]);
    expect(ticks.reduce((sum, { dispatched }) => sum + dispatched, 0)).toBeGreaterThan(0);
    await scene.dispatch({ policy });
    expect(told('io.beads.breaker.closed.v1')).toHaveLength(1);
    expect(told('io.beads.breaker.opened.v1')).toHaveLength(1);
  });
});
