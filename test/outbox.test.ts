import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { expectAudited, retryParked, unsentCount } from './world/audit.ts';
import type { Generation } from './world/bd-schema.ts';
import { FunctionProcess } from './world/function.ts';
import type { Reply } from './world/http-stand-in.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';

/** Every transition is an event that is never claimLost: the outbox, on a real database. */
/** With events in history in TEXT and in LONGTEXT, and out of history. */
describe.each<Generation>([32, 49, 65])('the outbox, on schema %s', (generation) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(generation);
    scene.board.capacity = Number.POSITIVE_INFINITY;
  });
  afterEach(() => scene.close());

  it('the outbox keeps each event that the sink does not take, and none is lost or duplicated', async () => {
    const answers: Reply[] = [
      { status: 503 },
      { status: 400 },
      { status: 302 },
      { status: 404 },
      'hangup',
      { status: 500 },
    ];
    for (const [index, reply] of answers.entries()) {
      scene.sink.reply = reply;
      // Some sinks take the event and die before they say so.
      scene.sink.takesAnyway = index % 2 === 0 && reply === 'hangup';
      await scene.tracker.create(`code-${index}`, { assignee: 'agent' });
      if (index === 3) scene.board.onPost = () => ({ status: 500, json: { error: 'no' } });
      expect(await scene.dispatch(), `${JSON.stringify(reply)} stops no dispatch`).toMatchObject({
        eligible: 1,
      });
      scene.board.onPost = undefined;
    }
    await scene.tracker.age('code-0', 45);
    await scene.reap();
    expect(await unsentCount(scene.tracker)).toBe(13);

    scene.sink.reply = { status: 202 };
    scene.sink.takesAnyway = false;
    await scene.reap();
    await retryParked(scene.tracker);
    await scene.reap();
    await expectAudited(scene);
    expect(scene.sink.events).toHaveLength(13);
    expect(scene.sink.typesOf('code-0')).toEqual([
      'dispatch.claimed.v1',
      'dispatch.dispatched.v1',
      'reap.blocked.v1',
    ]);
  });

  it('an event that the sink took without an answer is sent again under the same id', async () => {
    scene.sink.reply = 'hangup';
    scene.sink.takesAnyway = true;
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    await scene.dispatch();
    expect(scene.sink.deliveries).toHaveLength(1);

    scene.sink.reply = { status: 202 };
    await scene.dispatch();
    expect(scene.sink.deliveries).toHaveLength(3);
    await expectAudited(scene);
  });

  it('a slow sink holds up no dispatch', async () => {
    const all = Promise.withResolvers<void>();
    for (const id of ['code-a', 'code-b', 'code-c']) {
      await scene.tracker.create(id, { assignee: 'agent' });
    }
    // The sink takes its first event only when all three beads have been posted.
    scene.sink.onDelivery = async () => {
      await all.promise;
      return { status: 202 };
    };
    scene.board.onJob = () => {
      if (scene.board.jobs.length === 3) all.resolve();
    };
    expect(await scene.dispatch()).toMatchObject({ dispatched: 3 });
    await expectAudited(scene);
  });

  it('overlapping ticks send each event once', async () => {
    for (let n = 0; n < 12; n += 1) {
      await scene.tracker.create(`code-${n}`, { assignee: 'agent' });
    }
    await Promise.all(Array.from({ length: 4 }, () => scene.dispatch()));
    await scene.dispatch();
    await expectAudited(scene);
    expect(scene.sink.deliveries).toHaveLength(scene.sink.events.length);
  });

  it('a snapshot includes the unsent events, and a tick without work writes nothing', async () => {
    await scene.use(async (beads) => {
      expect((await beads.readSnapshot()).outbox).toMatchObject({
        unsentSince: undefined,
        parked: 0,
      });
    });
    const before = await scene.tracker.sql('SELECT dolt_hashof_db() AS hash');
    await scene.dispatch();
    await scene.reap();
    expect(await scene.tracker.sql('SELECT dolt_hashof_db() AS hash')).toEqual(before);

    scene.sink.reply = { status: 503 };
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    await scene.dispatch();
    await scene.use(async (beads) => {
      const { now, outbox } = await beads.readSnapshot();
      const { unsentSince } = outbox;
      expect(unsentSince?.getTime()).toBeGreaterThan(now.getTime() - 60_000);
      expect(unsentSince?.getTime()).toBeLessThanOrEqual(now.getTime());
    });
  });

  it('the outbox keeps both events of a last attempt in their order', async () => {
    scene.sink.reply = { status: 503 };
    scene.board.onPost = () => ({ status: 500, json: { error: 'no' } });
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const retry = { ...DEFAULT_POLICY.retry, maxAttempts: 1 };
    await scene.dispatch({ policy: { ...DEFAULT_POLICY, retry } });

    scene.sink.reply = { status: 202 };
    await scene.reap();
    expect(scene.sink.typesOf()).toEqual([
      'dispatch.claimed.v1',
      'dispatch.failed.v1',
      'dispatch.blocked.v1',
    ]);
    await expectAudited(scene);
  });
});

describe('a function that sends events', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open();
  });
  afterEach(() => scene.close());

  const start = async (sink = scene.sink.url) =>
    await FunctionProcess.start('dispatch', {
      ...scene.environment(),
      K_SINK: sink,
    });

  const moments: Record<string, { takesAnyway: boolean; dieAt: string }> = {
    'before the sink has it': { takesAnyway: false, dieAt: 'dispatch.claimed.v1' },
    'after the sink has it, before it is removed': {
      takesAnyway: true,
      dieAt: 'dispatch.claimed.v1',
    },
    'at the last event': { takesAnyway: true, dieAt: 'dispatch.dispatched.v1' },
  };
  for (const [moment, { takesAnyway, dieAt }] of Object.entries(moments)) {
    it(`a function that is killed ${moment} leaves the event to the next tick`, async () => {
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      const victim = await start();
      scene.sink.takesAnyway = takesAnyway;
      const isDead = Promise.withResolvers<void>();
      scene.sink.onDelivery = async ({ type }) => {
        if (!type.endsWith(dieAt)) return { status: 202 };
        await victim.stop('SIGKILL');
        isDead.resolve();
        return 'hangup';
      };
      await expect(victim.tick()).rejects.toThrow('fetch failed');
      await isDead.promise;
      scene.sink.onDelivery = undefined;
      scene.sink.takesAnyway = false;

      await scene.dispatch();
      await scene.dispatch();
      await expectAudited(scene);
      expect(scene.board.posts.length).toBeLessThanOrEqual(1);
    });
  }

  it('a sink that never answers does not hold up a tick, and the next tick sends the events', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    scene.sink.reply = 'silence';
    const first = await start();
    expect(await first.tick()).toBe(204);
    await first.stop('SIGKILL');
    expect(await unsentCount(scene.tracker)).toBe(2);

    scene.sink.reply = { status: 202 };
    const second = await start();
    expect(await second.tick()).toBe(204);
    await second.stop();
    await expectAudited(scene);
  });

  it('a tick delivers all events behind forty that the sink refuses, and those once the sink takes them', async () => {
    const { tracker } = scene;
    for (let n = 0; n < 40; n += 1) await tracker.create(`bad-${n}`, { assignee: 'agent' });
    for (let n = 0; n < 10; n += 1)
      await tracker.create(`code-${n}`, { assignee: 'agent', priority: 3 });
    scene.board.capacity = Number.POSITIVE_INFINITY;
    scene.sink.onDelivery = ({ subject, type }) =>
      subject?.startsWith('bad') && type.includes('claimed') ? { status: 400 } : undefined;
    const policy = { ...DEFAULT_POLICY, maxDispatchesPerTick: 100 };
    expect(await scene.dispatch({ policy })).toMatchObject({ dispatched: 50 });
    expect(scene.sink.events).toHaveLength(60);
    const told = scene.logged.filter(({ msg }) => String(msg).includes('parked'));
    expect(told).toHaveLength(40);
    await scene.use(async (beads) => {
      expect((await beads.readSnapshot()).outbox).toMatchObject({
        unsentSince: undefined,
        parked: 40,
      });
    });

    scene.logged.length = 0;
    await retryParked(tracker);
    await scene.dispatch();
    expect(
      scene.logged.filter(({ level }) => Number(level) >= 40),
      'it is said once',
    ).toEqual([]);
    scene.sink.onDelivery = undefined;
    await retryParked(tracker);
    await scene.dispatch();
    await expectAudited(scene, { isOrdered: false });
  });

  it('a long backlog of events is sent within a few ticks', async () => {
    const beads = 250;
    scene.sink.reply = { status: 503 };
    const { tracker } = scene;
    for (let n = 0; n < beads; n += 1) await tracker.create(`code-${n}`, { assignee: 'agent' });
    scene.board.capacity = Number.POSITIVE_INFINITY;
    const policy = { ...DEFAULT_POLICY, maxDispatchesPerTick: beads };
    await scene.dispatch({ policy });
    expect(await unsentCount(tracker)).toBe(2 * beads);

    scene.sink.reply = { status: 202 };
    const startedAt = performance.now();
    for (let ticks = 0; (await unsentCount(tracker)) > 0; ticks += 1) {
      expect(ticks).toBeLessThan(10);
      await scene.reap();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(`relay: ${2 * beads} events in ${seconds.toFixed(2)} s`);
    await expectAudited(scene);
  });
});
