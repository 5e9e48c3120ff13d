import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

const ROOT = join(import.meta.dirname, '..');
const SCENARIOS = join(ROOT, 'demo/scenarios');
const run = promisify(execFile);
const failure = z.object({ code: z.number(), stdout: z.string() });

describe('make dev', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-dev-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const play = async (script: string) =>
    await run(process.execPath, ['demo/dev.ts', '--script', script], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], TMPDIR: folder, HOME: folder },
    });

  it.each(readdirSync(SCENARIOS))(
    'plays %s to its end',
    async (name) => {
      const { stdout } = await play(join(SCENARIOS, name)).catch((error: unknown) =>
        expect.fail(failure.parse(error).stdout),
      );
      expect(stdout).toMatch(/Everything is down\.\n$/);
    },
    120_000,
  );

  it('ends with 1 at the first line that goes wrong, and says why', async () => {
    const script = join(folder, 'script.txt');
    await writeFile(script, 'create One\nexpect code-1 is open\nboard odd\ncreate Two\n');
    const ended = failure.parse(await play(script).catch((error: unknown) => error));
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain('line 3: "odd" is none of ok, busy, 502, drop, slow, down\n');
    expect(ended.stdout).not.toContain('code-2');
  }, 120_000);
});
