import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Connection } from '../shared/beads/sql/connection.ts';
import { connectTo } from './world/database.ts';
import { makeUser } from './world/rights.ts';
import { Scene } from './world/scene.ts';
import { sharedDoltPort } from './world/shared-dolt.ts';

/** That these rights are enough, all tests show: their ticks run as this user. */
describe('a user with only the rights of docs/grants.sql', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open();
    await scene.tracker.create('code-a');
  });
  afterAll(async () => {
    await scene.close();
  });

  it.each([
    ["INSERT INTO issues (id, title) VALUES ('code-x', 'x')"],
    ["DELETE FROM issues WHERE id = 'code-a'"],
    ["UPDATE events SET actor = 'x'"],
    ['DELETE FROM events'],
    ["INSERT INTO labels VALUES ('code-a', 'x')"],
    ["INSERT INTO comments (id, issue_id, author, text) VALUES ('x', 'code-a', 'x', 'x')"],
    ["UPDATE config SET value = 'x'"],
    ["INSERT INTO leases VALUES ('code-a', 'x', NOW(), NOW(), NOW(), '')"],
    ['DELETE FROM bd_events_journal'],
    ["REPLACE INTO dolt_ignore VALUES ('issues', 1)"],
    ['ALTER TABLE issues ADD COLUMN x int'],
    ['CREATE TABLE x (y int PRIMARY KEY)'],
    ["CALL DOLT_RESET('--hard')"],
    ["CALL DOLT_BRANCH('x')"],
    ["CALL DOLT_CHECKOUT('-b', 'x')"],
    ['CALL DOLT_GC()'],
    ["CREATE USER 'x'@'%'"],
  ])('a user with only the rights of docs/grants.sql cannot run: %s', async (statement) => {
    const session = await Connection.open(scene.settings);
    try {
      await expect(session.query(statement)).rejects.toMatchObject({
        code: 'DATABASE_ACCESS_DENIED',
      });
    } finally {
      session.close();
    }
  });
});

describe('docs/grants.sql', () => {
  it('docs/grants.sql creates no user for a database that does not exist', async () => {
    const port = sharedDoltPort();
    await expect(makeUser(port, 'not_there')).rejects.toThrow(/database not found/);
    const root = await connectTo(port);
    const [users] = await root.query("SELECT 1 FROM mysql.user WHERE user = 'u_not_there'");
    await root.end();
    expect(users).toEqual([]);
  });

  it('docs/grants.sql can be run again for an existing user', async () => {
    const scene = await Scene.open();
    expect(await makeUser(scene.settings.port, scene.settings.database)).toMatchObject({
      user: scene.settings.user,
    });
    await scene.tracker.create('code-a', { assignee: 'agent' });
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });
    await scene.close();
  });
});
