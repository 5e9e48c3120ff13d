import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BeadsDatabase } from '../shared/beads/beads.ts';
import { describeError } from '../shared/runtime/errors.ts';
import { programCommand, programFile } from './world/function.ts';
import { freePort, WorldProcess } from './world/process.ts';
import { Scene } from './world/scene.ts';

/** What a person meets in the first ten minutes: one line that says what is wrong and what to do. */
const ROOT = join(import.meta.dirname, '..');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'beads-messages-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What a program prints that ends at once, on both outputs. */
function ends(
  name: string,
  env: Readonly<Record<string, string>>,
  node = process.execPath,
): string {
  const ended = spawnSync(node, [programFile(name)], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(ended.status).toBe(1);
  return ended.stdout + ended.stderr;
}

describe('settings that cannot be used', () => {
  it('are told each on a line of its own', () => {
    expect(ends('reap', { PAUSED: 'maybe', PORT: 'x', K_SINK: 'https://me:secret@host/t' })).toBe(
      `K_SINK is "https://host/…"; it takes an http or https address without user, password, query and fragment
PORT is "x"; it takes a whole number from 1 to 65535
PAUSED is "maybe"; it takes true or false
`,
    );
  });

  it('a bd whose database is embedded is told how to get a server', async () => {
    await writeFile(
      join(folder, 'metadata.json'),
      '{"dolt_mode":"embedded","dolt_database":"code"}',
    );
    expect(ends('reap', { BEADS_DIR: folder })).toBe(
      `BEADS_DIR is "${folder}", whose bd keeps the database inside of it, where nothing else can read it; make it a server's with \`bd init --server\`, or set BEADS_DOLT_SERVER_HOST\n`,
    );
  });

  it('the folder of a project is told to be the one above', async () => {
    mkdirSync(join(folder, '.beads'));
    await writeFile(join(folder, '.beads/metadata.json'), '{}');
    expect(ends('reap', { BEADS_DIR: folder })).toBe(
      `BEADS_DIR is "${folder}"; it takes the folder .beads in it: "${folder}/.beads"\n`,
    );
  });
});

describe('a program that cannot start', () => {
  const OLD_NODES = ['/usr/bin/node', '/usr/local/bin/node'].filter(
    (path) =>
      existsSync(path) &&
      Number.parseInt(execFileSync(path, ['--version']).toString().slice(1), 10) < 22,
  );
  if (OLD_NODES.length === 0) console.log('messages: no Node older than 22 is here to be refused');

  it.each(['dispatch', 'watch'])('%s says that its port is in use', async (name) => {
    const scene = await Scene.open();
    const port = String(await freePort());
    const env = { ...scene.environment(), K_SINK: '', PORT: port };
    const { command, environment } = programCommand(name);
    const [file = '', ...args] = command;
    const first = await WorldProcess.start(file, args, /"listening"/, {
      env: { ...env, ...environment },
    });
    try {
      expect(ends(name, env)).toContain(`"port ${port} is in use; set PORT to another one"`);
    } finally {
      await first.stop();
      await scene.close();
    }
  });

  it.each(OLD_NODES)('says that %s is too old', (node) => {
    expect(ends('dispatch', {}, node)).toMatch(
      /^Node [\d.]+ is too old; this takes Node 22 or newer\n$/,
    );
  });

  it('npm start says that nothing is built yet, and tools that there is no Go or no compiler', () => {
    for (const file of ['tools/start.sh', 'tools/dolt.sh', 'tools/patience.sh'])
      cpSync(join(ROOT, file), join(folder, file));
    const run = (file: string, path: string, ...args: string[]) => {
      const ended = spawnSync(join(folder, file), args, {
        env: { PATH: path },
        encoding: 'utf8',
      });
      expect(ended.status, ended.stderr).toBe(1);
      return ended.stderr;
    };
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    // Just what the scripts themselves need.
    for (const program of ['bash', 'sh', 'dirname', 'mkdir', 'sed', 'sort', 'head', 'env'])
      execFileSync('ln', ['-s', execFileSync('which', [program]).toString().trim(), bin]);
    expect(run('tools/start.sh', bin, 'dispatch')).toBe(
      'dist/dispatch.cjs is not built yet: run make build\n',
    );
    expect(run('tools/dolt.sh', bin)).toMatch(
      /^No dolt >= [\d.]+ on PATH and no Go to build one: /,
    );
    execFileSync('ln', ['-s', '/bin/true', join(bin, 'go')]);
    expect(run('tools/dolt.sh', bin)).toMatch(
      /^No C compiler \(cc\) to build dolt with: install one/,
    );
  });
});

describe('a database that refuses', () => {
  it('a user without rights is told which file gives them', async () => {
    const scene = await Scene.open();
    const user = `x_${scene.settings.database}`;
    await scene.tracker.sql(`CREATE USER '${user}'@'%' IDENTIFIED BY 'pw'`);
    try {
      const database = new BeadsDatabase({ ...scene.settings, user, password: 'pw' }, 'agent');
      const error: unknown = await scene.dispatch({ database }).catch((thrown: unknown) => thrown);
      const { code, message } = describeError(error);
      expect(code).toBe('DATABASE_ACCESS_DENIED');
      expect(message).toContain(`refused user ${user}: Access denied`);
      expect(message).toContain(
        'Check the user, BEADS_DOLT_PASSWORD, and its rights (docs/grants.sql).',
      );
    } finally {
      await scene.tracker.sql(`DROP USER '${user}'@'%'`);
      await scene.close();
    }
  });
});
