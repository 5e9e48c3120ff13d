import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { findBd } from './world/bd.ts';
import { DOLT_BINARY } from './world/dolt.ts';

/** README's "Run it by hand", exactly as it is printed, in a folder like a fresh clone. */
const ROOT = join(import.meta.dirname, '..');
const [bd] = await findBd();
if (bd === undefined) console.log('run-it: skipped, there is no bd on PATH (or in BD)');
/** What the block needs of this project, as `make setup` and `make build` leave it. */
const PARTS = [
  'Makefile',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'node_modules',
  'dist',
].concat(['cli', 'demo', 'docs', 'examples', 'functions', 'shared', 'sources', 'test', 'tools']);

describe.skipIf(bd === undefined)('the README', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-run-it-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('has a block that runs as it is printed, from an empty folder to a bead that an agent closed', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const [, block = ''] = /## Run it by hand[^]*?```sh\n([^]*?)```/.exec(readme) ?? [];
    expect(block).toContain('bd init');
    // With their times, so that make builds nothing anew.
    for (const part of PARTS) execFileSync('cp', ['-a', join(ROOT, part), folder]);
    const bin = join(folder, 'bin');
    await cp(dirname(DOLT_BINARY), bin, { recursive: true });
    await symlink(bd?.path ?? '', join(bin, 'bd')).catch(() => undefined);
    const script = `set -e
${block}
for _ in $(seq 100); do bd show "$id" | grep -q 'acceptance criteria are met' && break; sleep 0.2; done
bd show "$id"`;
    const shell = spawn('bash', ['-c', script], {
      cwd: folder,
      detached: true,
      env: {
        PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH']}`,
        HOME: folder,
        GIT_CONFIG_GLOBAL: '/dev/null',
      },
    });
    let printed = '';
    for (const stream of [shell.stdout, shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    try {
      const [code] = await once(shell, 'exit');
      expect(code, printed).toBe(0);
      expect(printed).toContain(
        'beads-dispatch may use code on 127.0.0.1:13307: read beads, write beads',
      );
      expect(printed).toMatch(/auto-dispatcher claimed at/);
      expect(printed).toMatch(/dispatched: job=[0-9a-f]{12}/);
      expect(printed).toContain('the acceptance criteria are met');
      await access(join(folder, 'try/.beads/metadata.json'));
    } finally {
      await endGroup(shell.pid);
    }
  }, 120_000);
});

/** What the block left running is in the shell's own group; waits until all of it has ended. */
async function endGroup(pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
    for (;;) {
      process.kill(-pid, 0);
      await pause(50);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
