import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DatabaseProxy } from './world/database-proxy.ts';
import { FunctionProcess, type FunctionName } from './world/function.ts';
import { Scene } from './world/scene.ts';

/** What docs/idle-cost.md says of a tick that finds nothing to do. */
describe.each<FunctionName>(['dispatch', 'reap'])('an idle tick of %s', (name) => {
  let scene: Scene;
  let proxy: DatabaseProxy;
  let started: FunctionProcess;
  beforeEach(async () => {
    scene = await Scene.open();
    proxy = await DatabaseProxy.start(scene.settings.port);
    started = await FunctionProcess.start(name, scene.environment(proxy.port));
    // There are beads, but none that concerns these functions.
    await scene.tracker.create('code-theirs', { assignee: 'person' });
    await scene.tracker.create('code-done', { assignee: 'agent', status: 'closed' });
  });
  afterEach(async () => {
    await started.stop();
    await proxy.stop();
    await scene.close();
  });

  it('an idle tick opens a new connection when its old one is broken', async () => {
    expect(await started.tick()).toBe(204);
    proxy.breakConnections();
    expect(await started.tick()).toBe(204);
    expect(await started.tick()).toBe(204);
    expect(proxy.connections).toBe(2);
    expect(started.log.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('an idle tick costs one query in a warm process and three in a fresh one, and nothing else', async () => {
    const hash = async () => await scene.tracker.sql('SELECT dolt_hashof_db() AS hash');
    const before = await hash();
    expect(await started.tick()).toBe(204);
    // The session's variables; the schema; and the beads and the outbox, in one packet.
    expect(proxy.statements.map(kindOf)).toEqual(['SET', 'SELECT', 'START']);
    proxy.statements.length = 0;
    expect(await started.tick()).toBe(204);
    expect(proxy.statements).toEqual([
      expect.stringMatching(/^SELECT dolt_hashof_db\(\) AS state/),
    ]);
    expect(proxy.connections).toBe(1);

    expect(await hash()).toEqual(before);
    expect((await scene.tracker.log(1))[0]?.message).toBe('bd: create code-done');
    expect([scene.board.statusCalls, scene.board.posts.length]).toEqual([0, 0]);
    expect(scene.sink.deliveries).toEqual([]);
  });
});

const kindOf = (sql: string) => sql.trim().split(/\s/)[0];
