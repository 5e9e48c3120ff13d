import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BEADS } from '../demo/story.ts';

const ROOT = join(import.meta.dirname, '..');
const run = promisify(execFile);

describe('make demo', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-demo-'));
    // Without a bd its database is made from our own DDL, which is faster.
    env = { PATH: process.env['PATH'], TMPDIR: folder, HOME: folder };
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('shows each bead from its beginning to its end on 80 columns and 24 lines, and leaves nothing behind', async () => {
    const recording = join(folder, 'demo.svg');
    const { stdout } = await run(process.execPath, ['tools/record.ts', recording], {
      cwd: ROOT,
      env,
    });
    const lines = stdout.trimEnd().split('\n');
    for (const { id, shows, endsAs } of BEADS) {
      expect(lines, id).toContainEqual(expect.stringMatching(new RegExp(` ${id} +${shows}$`)));
      const last = lines.findLast((line) => line.startsWith(id));
      expect(last, id).toContain(endsAs);
    }
    expect(stdout).toContain('Every bead ended as it should.');
    // The whole of the end is on the last screen: the table, and what was seen.
    const screen = lines.slice(-24).join('\n');
    for (const { id } of BEADS) expect(screen).toContain(`\n${id} `);
    expect(screen).toContain('What you saw:');
    expect(await readFile(recording, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(await readdir(folder)).toEqual(['demo.svg']);
  }, 120_000);

  it('leaves nothing behind after Ctrl-C', async () => {
    const demo = spawn(process.execPath, ['demo/demo.ts'], { cwd: ROOT, env, detached: true });
    let printed = '';
    let isAsked = false;
    for (const stream of [demo.stdout, demo.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        if (isAsked || !printed.includes('dispatched.v1')) return;
        isAsked = true;
        // As a terminal does: to all that belongs to it.
        process.kill(-(demo.pid ?? 0), 'SIGINT');
      });
    }
    const [code] = await once(demo, 'close');
    expect([code, printed.match(/Error/)], printed).toEqual([130, null]);
    expect(await readdir(folder)).toEqual([]);
  }, 120_000);
});
