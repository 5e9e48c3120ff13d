import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Scene } from './world/scene.ts';

/** `make grants`, on a real server. */
describe('make grants', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open();
  });
  afterEach(async () => {
    for (const user of ['beads-dispatch', 'beads-watch'])
      await scene.tracker.sql(`DROP USER IF EXISTS '${user}'@'%'`);
    await scene.close();
  });

  function grants(env: Readonly<Record<string, string>>) {
    const { port, database } = scene.settings;
    const ended = spawnSync(process.execPath, [join(import.meta.dirname, '../tools/grants.ts')], {
      env: { PATH: process.env['PATH'], PORT: String(port), DB: database, PASSWORD: 'new', ...env },
      encoding: 'utf8',
    });
    return { code: ended.status, said: (ended.stdout + ended.stderr).trim() };
  }

  it('makes a user, or gives it another password, and tries what it can do', () => {
    const { port, database } = scene.settings;
    const done = `beads-dispatch may use ${database} on 127.0.0.1:${port}: read beads, write beads, write history, write events, commit tried`;
    expect(grants({})).toEqual({ code: 0, said: done });
    expect(grants({ PASSWORD: 'another' })).toEqual({ code: 0, said: done });
    expect(grants({ FOR: 'watch' }).said).toBe(
      `beads-watch may use ${database} on 127.0.0.1:${port}: read beads tried`,
    );
  });

  it('refuses a database that is not there, and what it cannot use', async () => {
    const { port } = scene.settings;
    expect(grants({ DB: 'nowhere' })).toEqual({
      code: 1,
      said: `grants: there is no database nowhere on 127.0.0.1:${port}; nothing was changed`,
    });
    expect(
      await scene.tracker.sql("SELECT 1 FROM mysql.user WHERE user = 'beads-dispatch'"),
    ).toEqual([]);
    expect(grants({ PASSWORD: '' }).said).toMatch(/^grants: usage: make grants DB=/);
    expect(grants({ PASSWORD: "o'clock" }).said).toBe(
      'grants: PASSWORD takes letters, digits and _.~@%+=:,/-',
    );
    expect(grants({ PASSWORD: 'a$b' }).code).toBe(1);
    expect(grants({ ADMIN: 'nobody' }).said).toMatch(
      /^grants: cannot log in as nobody on 127\.0\.0\.1:\d+: /,
    );
    expect(grants({ PORT: '1' }).said).toMatch(
      /^grants: cannot log in as root on 127\.0\.0\.1:1: /,
    );
  });
});
