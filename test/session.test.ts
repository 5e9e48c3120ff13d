import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Connection } from '../shared/beads/sql/connection.ts';
import { connectTo, createDatabase } from './world/database.ts';
import { DoltServer } from './world/dolt.ts';
import { Scene } from './world/scene.ts';

/** What a server or a user can set for all sessions to come; each one would break a claim. */
const DEFAULTS = [
  ['autocommit', 0],
  ['dolt_transaction_commit', 1],
  ['dolt_force_transaction_commit', 1],
  ['foreign_key_checks', 0],
  ['sql_select_limit', 1],
  ['sql_mode', "''"],
  ['time_zone', "'+05:00'"],
] as const;

describe('on a server with other defaults for a session', () => {
  let dolt: DoltServer;
  let scene: Scene;
  beforeAll(async () => {
    dolt = await DoltServer.start({ autocommit: false });
    await createDatabase(dolt.port, 'beads', 65);
    const root = await connectTo(dolt.port);
    for (const [name, value] of DEFAULTS) await root.query(`SET GLOBAL ${name} = ${value}`);
    await root.end();
    scene = await Scene.around('beads', dolt.port);
  });
  afterAll(async () => {
    await scene.close();
    await dolt.remove();
  });

  it('a session has the values that the statements depend on, also after a reconnect', async () => {
    const session = await Connection.open(scene.settings);
    try {
      const read = async () =>
        await session.query(
          `SELECT @@autocommit AS a, @@dolt_transaction_commit AS t, @@sql_select_limit AS l,
                  @@foreign_key_checks AS f`,
        );
      const wanted = [{ a: 1, t: 0, l: '2147483647', f: 1 }];
      expect(await read()).toEqual(wanted);
      await session.reconnect();
      expect(await read()).toEqual(wanted);
    } finally {
      session.close();
    }
  });

  it('a dispatch makes two Dolt commits, and each further tick sees the beads that came since', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    const before = await commits();
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });
    expect((await commits()) - before).toBe(2);

    expect(await scene.dispatch()).toMatchObject({ eligible: 0 });
    await scene.tracker.create('code-b', { assignee: 'agent' });
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });
    expect(scene.board.posts).toEqual(['code-a', 'code-b']);
  });

  async function commits(): Promise<number> {
    const [row] = await scene.tracker.sql('SELECT COUNT(*) AS n FROM dolt_log');
    return Number(row?.['n']);
  }
});
