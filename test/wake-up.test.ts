import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BrokerStandIn } from './world/broker.ts';
import { FunctionProcess, programFile } from './world/function.ts';
import { WorldProcess } from './world/process.ts';
import { makeUser, type DatabaseUser } from './world/rights.ts';
import { Scene } from './world/scene.ts';

/**
 * The watch as a process, the broker's part of a stand-in, and the dispatcher behind its Trigger.
 */
describe('a change in beads', () => {
  let scene: Scene;
  let dispatch: FunctionProcess;
  let watch: WorldProcess | undefined;
  let wakeUps: string[];
  /** It may only read. */
  let reader: DatabaseUser;
  beforeEach(async () => {
    scene = await Scene.open();
    reader = await makeUser(scene.settings.port, scene.settings.database, 'watch');
    dispatch = await FunctionProcess.start('dispatch', scene.environment());
    const broker = new BrokerStandIn();
    const filter = ({ type }: { type: string }) => type === 'io.beads.dispatch.due.v1';
    broker.triggers.push({ url: dispatch.url, filter });
    wakeUps = [];
    scene.sink.onTaken = async (event, exchange) => {
      if (event.type.endsWith('.due.v1')) wakeUps.push(JSON.stringify(event.data));
      await broker.deliver(event, exchange);
    };
  });
  afterEach(async () => {
    await watch?.stop();
    await dispatch.stop();
    await scene.close();
  });

  const startWatch = async (settings: Record<string, string> = {}) => {
    const user = { BEADS_DOLT_SERVER_USER: reader.user, BEADS_DOLT_PASSWORD: reader.password };
    const env = { ...scene.environment(), ...user, ...settings };
    return await WorldProcess.start(process.execPath, [programFile('watch')], /watch starts/, {
      env,
    });
  };
  /** Resolves when an event of that type comes for a bead. */
  const eventFor = async (bead: string, type: string) =>
    await new Promise<void>((resolve) => {
      scene.sink.onEvent = (event) => {
        if (event.subject === bead && event.type.endsWith(type)) resolve();
      };
    });

  it('a change in beads wakes the dispatcher once, and its own writes do not wake it again', async () => {
    watch = await startWatch();
    const waits: number[] = [];
    for (const id of ['code-a', 'code-b', 'code-c']) {
      await scene.tracker.create(id, { assignee: 'person' });
      const startedAt = performance.now();
      const dispatched = eventFor(id, 'dispatch.dispatched.v1');
      await scene.tracker.assign(id, 'agent');
      await dispatched;
      waits.push(Math.round(performance.now() - startedAt));
    }
    console.log(`wake-up: assigned to dispatched in ${waits.join(', ')} ms`);
    expect(wakeUps).toEqual(Array.from({ length: 3 }, () => '{"reason":"changed","beads":1}'));
    await watch.stop();
    await dispatch.stop();
    const left = await scene.tracker.sql(
      "SELECT `key` FROM local_metadata WHERE `key` LIKE 'beads-%'",
    );
    expect(
      left.map(({ key }) => String(key).replace(/[^.]*$/, '')),
      'what runs is followed up',
    ).toEqual(Array.from({ length: 3 }, () => 'beads-dispatch.follow-up.'));
  });

  it('the watcher has the end of a dispatch told at once', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    watch = await startWatch();
    await eventFor('code-a', 'dispatch.dispatched.v1');
    const completed = eventFor('code-a', 'dispatch.completed.v1');
    await scene.tracker.closeBead('code-a', 'done', 'agent');
    await completed;
    expect(wakeUps).toHaveLength(2);
  });

  it('the watcher notices a bead that is unblocked or reopened, and capacity that becomes free', async () => {
    await scene.tracker.create('code-first', { assignee: 'person' });
    await scene.tracker.create('code-then', { assignee: 'agent' });
    await scene.tracker.depend('code-then', 'code-first', 'blocks');
    await scene.tracker.create('code-shut', { assignee: 'agent', status: 'closed' });
    watch = await startWatch();

    const unblocked = eventFor('code-then', 'dispatch.dispatched.v1');
    await scene.tracker.closeBead('code-first', 'done');
    await unblocked;

    scene.board.capacity = 1;
    const reopened = eventFor('code-shut', 'dispatch.dispatched.v1');
    await scene.tracker.update('code-shut', { status: 'open' });
    await scene.tracker.closeBead('code-then', 'done');
    scene.board.finish(scene.board.jobs[0]?.jobId ?? '');
    await reopened;
    expect(scene.board.posts).toContain('code-shut');
  });

  it('a change during a tick waits for the end of the tick, and no bead is refused', async () => {
    scene.board.capacity = 1;
    const isPosted = Promise.withResolvers<void>();
    const mayAnswer = Promise.withResolvers<void>();
    scene.board.onPost = async () => {
      isPosted.resolve();
      await mayAnswer.promise;
      return undefined;
    };
    watch = await startWatch();
    await scene.tracker.create('code-a', { assignee: 'agent' });
    await isPosted.promise;
    for (const id of ['code-b', 'code-c', 'code-d']) {
      await scene.tracker.create(id, { assignee: 'agent' });
      // And a tick of the schedule in the middle.
      void dispatch.tick();
    }
    // A tick that overlaps would claim another bead within these reads.
    for (let reads = 0; reads < 300 && scene.board.posts.length < 2; reads += 1) {
      await scene.tracker.show('code-b');
    }
    const dispatched = eventFor('code-a', 'dispatch.dispatched.v1');
    mayAnswer.resolve();
    await dispatched;
    await dispatch.tick();
    expect(scene.sink.typesOf().filter((type) => !type.includes('due'))).toEqual([
      'dispatch.claimed.v1',
      'dispatch.dispatched.v1',
    ]);
  });

  it('a change is not lost when the sink or the watcher was down', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    const dispatched = eventFor('code-a', 'dispatch.dispatched.v1');
    scene.sink.reply = { status: 503 };
    const first = await startWatch();
    await first.until(/the sink took no wake-up/);
    await first.stop('SIGKILL');
    expect(wakeUps).toEqual([]);

    scene.sink.reply = { status: 202 };
    watch = await startWatch();
    await dispatched;
  });

  it('the watcher sends no wake-up while paused or without a sink', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    const paused = await startWatch({ PAUSED: 'true' });
    expect(paused.output).toContain('"paused":true');
    // It stays, since what ends is started again; only the signal ends it.
    await paused.stop('SIGTERM');
    expect(paused.exitCode).toBe(0);
    const early = await startWatch({ K_SINK: '' });
    expect(early.output).toContain('K_SINK is not set');
    await early.stop('SIGTERM');
    expect(early.exitCode).toBe(0);
    expect(wakeUps).toEqual([]);
  });

  it('the watcher keeps waiting while the database is unreachable', async () => {
    const gone = await startWatch({ BEADS_DOLT_SERVER_PORT: '1' });
    await gone.until(/DATABASE_UNREACHABLE[^]*DATABASE_UNREACHABLE/);
    await gone.stop();
    expect(wakeUps).toEqual([]);
  });
});
