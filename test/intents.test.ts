import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Scene } from './world/scene.ts';

/** A UUIDv7 of the year 2024. */
const OLD = '018d0000-0000-7000-8000-00000000000';

describe('intents to post', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open();
  });
  afterEach(() => scene.close());

  const intents = async () =>
    (
      await scene.tracker.sql(
        "SELECT `key` FROM local_metadata WHERE `key` LIKE 'beads-dispatch.intent.%' ORDER BY `key`",
      )
    ).map(({ key }) => String(key).replace('beads-dispatch.intent.', ''));

  it('the reaper removes the intents of claims that ended long ago and keeps the others', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    await scene.tracker.create('code-held', {
      assignee: 'person',
      status: 'in_progress',
      metadata: `{"beads_auto_dispatch": "claimed:${OLD}2"}`,
    });
    for (const [token, value] of [
      [`${OLD}1`, 'posting'],
      [`${OLD}2`, 'posting'],
      [`${OLD}3`, 'released'],
      ['7fffffff-ffff-7000-8000-000000000004', 'posting'],
    ]) {
      await scene.tracker.sql('INSERT INTO local_metadata VALUES (?, ?)', [
        `beads-dispatch.intent.${token}`,
        value,
      ]);
    }
    await scene.reap();
    expect(await intents()).toEqual([`${OLD}2`, '7fffffff-ffff-7000-8000-000000000004']);
  });

  it('a bead that bd renames during its POST gets its job noted and its intent removed under the new id', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    scene.board.onPost = async () => {
      await scene.tracker.sql('SET foreign_key_checks = 0');
      await scene.tracker.sql("UPDATE events SET issue_id = 'work-a' WHERE issue_id = 'code-a'");
      await scene.tracker.sql("UPDATE issues SET id = 'work-a' WHERE id = 'code-a'");
      await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'bd: rename')");
      return { status: 200, json: { job_id: '3f2a9c0d1e4b' } };
    };
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });
    expect((await scene.tracker.show('work-a')).notes).toContain('dispatched: job=3f2a9c0d1e4b');
    expect(await intents()).toEqual([]);
  });

  it('a lost answer leaves no note on a bead that is closed during its POST', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    scene.board.onPost = async () => {
      await scene.tracker.closeBead('code-a', 'done');
      return 'hangup' as const;
    };
    await scene.dispatch();
    const { status, notes } = await scene.tracker.show('code-a');
    expect([status, notes]).toEqual(['closed', expect.stringMatching(/^auto-dispatcher claimed/)]);
    expect(notes).not.toContain('unknown');
  });
});
