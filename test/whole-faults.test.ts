import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createDatabase } from './world/database.ts';
import { DoltServer } from './world/dolt.ts';
import { Scene } from './world/scene.ts';

/** A server that answers and takes no writes. */
describe('on a Dolt server that is read-only', () => {
  let dolt: DoltServer;
  let scene: Scene;
  beforeEach(async () => {
    dolt = await DoltServer.start();
    await createDatabase(dolt.port, 'beads', 65);
    scene = await Scene.around('beads', dolt.port);
  });
  afterEach(async () => {
    await scene.tracker.close();
    await scene.board.stop();
    await scene.sink.stop();
    await dolt.remove();
  });

  it('a tick ends after two equal faults, and does not count them as the fault of 200 beads', async () => {
    for (let n = 0; n < 200; n += 1) {
      await scene.tracker.create(`code-${n}`, { assignee: 'agent' });
    }
    await dolt.stop();
    await dolt.restart({ readOnly: true });
    await expect(scene.dispatch()).rejects.toMatchObject({ code: 'DATABASE_STATEMENT' });
    const errors = scene.logged.filter(({ level }) => Number(level) >= 50);
    expect(errors).toHaveLength(2);
    expect(scene.board.posts).toEqual([]);
  });
});

describe('a bead that cannot be written', () => {
  it('beads that cannot be written do not stop the others, even when several fail in the same way', async () => {
    const scene = await Scene.open();
    for (const id of ['bad-1', 'bad-2', 'bad-3', 'code-a', 'code-b']) {
      await scene.tracker.create(id, {
        assignee: 'agent',
        status: 'in_progress',
        updated_at: '2026-11-01 10:00:00',
      });
    }
    await scene.tracker.sql(
      `ALTER TABLE issues ADD CONSTRAINT no_block CHECK (status <> 'blocked' OR id LIKE 'code-%')`,
    );
    await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'a constraint of somebody else')");
    expect(await scene.reap()).toMatchObject({ blocked: 2, errors: 3 });
    await scene.close();
  });
});
