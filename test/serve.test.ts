import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { expectAudited } from './world/audit.ts';
import { DatabaseProxy } from './world/database-proxy.ts';
import { Scene } from './world/scene.ts';
import { startServe, type ServedProcess } from './world/served.ts';

/** One process for all, without Knative: the same guarantees. */
describe('serve', () => {
  let scene: Scene;
  let running: ServedProcess[];
  beforeEach(async () => {
    scene = await Scene.open();
    scene.board.capacity = Number.POSITIVE_INFINITY;
    running = [];
  });
  afterEach(async () => {
    for (const each of running) await each.stop('SIGKILL');
    await scene.close();
  });

  async function start(settings: Record<string, string> = {}): Promise<ServedProcess> {
    const started = await startServe({ ...scene.environment(), ...settings });
    running.push(started);
    return started;
  }
  /** Resolves when an event of that type came for each of the beads. */
  const eventsFor = async (type: string, ...ids: string[]) =>
    await new Promise<void>((resolve) => {
      const left = new Set(ids);
      scene.sink.onEvent = (event) => {
        if (event.type.endsWith(type)) left.delete(event.subject ?? '');
        if (left.size === 0) resolve();
      };
    });

  it('dispatches a bead as soon as it is assigned, tells its end, reaps, and serves what it sees', async () => {
    const { tracker, sink } = scene;
    const serve = await start();
    await tracker.create('code-a', { assignee: 'person' });
    const dispatched = eventsFor('dispatched.v1', 'code-a');
    await tracker.assign('code-a', 'agent');
    await dispatched;
    const completed = eventsFor('completed.v1', 'code-a');
    await tracker.closeBead('code-a', 'done', 'agent');
    await completed;
    await tracker.create('code-b', { assignee: 'agent' });
    await eventsFor('dispatched.v1', 'code-b');
    const reaped = eventsFor('reap.blocked.v1', 'code-b');
    await tracker.age('code-b', 45);
    await reaped;
    expect(scene.board.posts).toEqual(['code-a', 'code-b']);
    expect(sink.typesOf().filter((type) => type.includes('due'))).toEqual([]);
    expect((await fetch(`${serve.url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${serve.url}/metrics`)).text()).toContain(
      'beads_dispatch_transitions_total{transition="reaped"} 1',
    );
    await serve.stop();
    expect(serve.exitCode).toBe(0);
    await expectAudited(scene);
  });

  it('ticks by its schedule, too', async () => {
    const { tracker } = scene;
    // What the watcher has asked for once it asks for again only after 30 s; the schedule comes sooner.
    scene.board.onPost = () => ({ status: 409, json: { error: 'Agent is busy' } });
    scene.board.onStatus = () => ({ status: 200, json: { busy: true } });
    const serve = await start({ DISPATCH_SCHEDULE: '* * * * * *' });
    await tracker.create('code-a', { assignee: 'agent' });
    const asked = () => serve.output.match(/"trigger":"schedule"/g)?.length ?? 0;
    while (asked() < 2) await tracker.show('code-a');
    expect(scene.board.posts).toEqual([]);
  });

  it('finishes the bead in hand when it is told to end, and takes no other one', async () => {
    const { tracker, board } = scene;
    const isPosted = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    board.onPost = async () => {
      isPosted.resolve();
      await mayAnswer.promise;
      return undefined;
    };
    const serve = await start();
    for (const id of ['code-a', 'code-b']) await tracker.create(id, { assignee: 'agent' });
    await isPosted.promise;
    const ended = serve.stop('SIGTERM');
    await tracker.show('code-a');
    mayAnswer.resolve();
    await ended;
    expect(serve.exitCode).toBe(0);
    expect(board.posts).toHaveLength(1);
    const [posted = ''] = board.posts;
    expect((await tracker.show(posted)).notes).toContain('dispatched: job=');
  });

  it('does nothing while paused, and says what is no schedule', async () => {
    const serve = await start({ PAUSED: 'true' });
    await scene.tracker.create('code-a', { assignee: 'agent' });
    const state = async () => await (await fetch(`${serve.url}/api/v1/state`)).json();
    while (!JSON.stringify(await state()).includes('"code-a"')) await scene.tracker.show('code-a');
    expect(await state()).toMatchObject({ status: { paused: true } });
    expect(scene.board.posts).toEqual([]);
    await expect(start({ REAP_SCHEDULE: 'often' })).rejects.toThrow(
      'REAP_SCHEDULE is "often"; it takes a schedule in cron syntax, such as */2 * * * *\n',
    );
  });

  it('of two at once each bead is dispatched by one', async () => {
    await Promise.all([start(), start()]);
    const ids = Array.from({ length: 20 }, (_, n) => `code-${n}`);
    const all = eventsFor('dispatched.v1', ...ids);
    for (const id of ids) await scene.tracker.create(id, { assignee: 'agent' });
    await all;
    expect(scene.board.posts.toSorted()).toEqual(ids.toSorted());
    await Promise.all(running.map(async (each) => each.stop()));
    await expectAudited(scene);
  });

  it('killed at any statement it leaves no bead stranded and none posted twice', async () => {
    const { tracker, board } = scene;
    const proxy = await DatabaseProxy.start(scene.settings.port);
    try {
      const kills = 36;
      for (let n = 1; n <= kills; n += 1) {
        const id = `code-${n}`;
        const victim = await start(scene.environment(proxy.port));
        let isKilled = Promise.withResolvers<void>();
        proxy.statements.length = 0;
        proxy.onHeld = () => {
          void victim.stop('SIGKILL').then(isKilled.resolve);
        };
        // Statements of the watcher are among them, so that it is another step each time.
        proxy.onStatement = (_, number) =>
          number === n ? (n % 2 === 0 ? 'hold-statement' : 'hold-answer') : 'through';
        await tracker.create(id, { assignee: 'agent' });
        await isKilled.promise;
        proxy.onStatement = () => 'through';
        proxy.breakConnections();
        isKilled = Promise.withResolvers<void>();
        // As when it is started again.
        await scene.dispatch();
        await scene.dispatch();
        const { status, notes } = await tracker.show(id);
        expect(status, `killed at ${n}`).toBe('in_progress');
        expect(board.posts.filter((posted) => posted === id).length).toBeLessThanOrEqual(1);
        expect(notes.split('\n').at(-1)).toMatch(/^dispatched: job=|^dispatch outcome unknown/);
        await scene.reap();
        await expectAudited(scene);
        await tracker.remove(id);
      }
      console.log(`serve: killed ${kills} times`);
    } finally {
      await proxy.stop();
    }
  }, 300_000);
});
