import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { BeadsDatabase } from '../shared/beads/beads.ts';
import { Scene } from './world/scene.ts';

describe('a user with only the rights of docs/grants.sql', () => {
  let scene: Scene;
  let database: BeadsDatabase;
  beforeAll(async () => {
    scene = await Scene.open();
    const user = `u_${scene.settings.database}`;
    const statements = readFileSync(join(import.meta.dirname, '../docs/grants.sql'), 'utf8')
      .replace(/^--.*$/gm, '')
      .replaceAll('beads-dispatch', user)
      .replaceAll('code.', `${scene.settings.database}.`)
      .split(';')
      .filter((statement) => statement.trim() !== '');
    for (const statement of statements) await scene.tracker.sql(statement);
    const settings = { ...scene.settings, user, password: 'change me' };
    database = new BeadsDatabase(settings, 'agent');
  });
  afterAll(async () => {
    await scene.tracker.sql(`DROP USER 'u_${scene.settings.database}'@'%'`);
    await scene.close();
  });

  it('can dispatch, give back, settle and reap', async () => {
    scene.board.onPost = (id) =>
      id === 'code-no' ? { status: 500, json: { error: 'not configured' } } : undefined;
    for (const id of ['code-yes', 'code-no']) {
      await scene.tracker.create(id, { assignee: 'agent' });
    }
    expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1, failed: 1 });
    await scene.tracker.age('code-yes', 45);
    expect(await scene.reap({ database })).toMatchObject({ blocked: 1, errors: 0 });
  });
});
