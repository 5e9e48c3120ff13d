import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { EVENT_NAMES, typeOf } from '../shared/events/event-types.ts';
import { freePort, WorldProcess } from './world/process.ts';

/** examples/minimal, each with the requests of docs/events/curl.md as they are printed. */
const ROOT = join(import.meta.dirname, '..');
const run = promisify(execFile);
const source = (name: string) => join(ROOT, 'examples/minimal', name);
const hasGo = spawnSync('go', ['version']).status === 0;
const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasGo || !hasPython)
  console.log('minimal subscribers: skipped where there is no Go or Python');

const SUBSCRIBERS = [
  { name: 'TypeScript', isThere: true, command: () => [process.execPath, source('subscriber.ts')] },
  { name: 'Python', isThere: hasPython, command: () => ['python3', source('subscriber.py')] },
  {
    name: 'Go',
    isThere: hasGo,
    command: (folder: string) => {
      const program = join(folder, 'subscriber');
      execFileSync('go', ['vet', source('subscriber.go')]);
      execFileSync('go', ['build', '-o', program, source('subscriber.go')]);
      return [program];
    },
  },
];

describe.each(SUBSCRIBERS)('the smallest subscriber in $name', ({ isThere, command }) => {
  let folder: string;
  let subscriber: WorldProcess | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-minimal-'));
  });
  afterEach(async () => {
    await subscriber?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it.skipIf(!isThere)(
    'takes each event once, with an empty answer, and refuses what is none',
    async () => {
      const page = await readFile(join(ROOT, 'docs/events/curl.md'), 'utf8');
      const requests = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);
      expect(requests).toHaveLength(EVENT_NAMES.length);
      const port = await freePort();
      const [file = '', ...args] = command(folder);
      subscriber = await WorldProcess.start(file, args, /listening/, {
        env: { PATH: process.env['PATH'], PORT: String(port) },
      });
      const url = `http://localhost:${port}`;
      for (const request of [...requests, ...requests]) {
        const { stdout } = await run('bash', ['-c', request.replace('http://localhost:8080', url)]);
        expect(stdout).toMatch(/^HTTP\/1\.\d 204 [^]*\r\n\r\n$/);
      }
      expect((await fetch(url, { method: 'POST', body: 'hello' })).status).toBe(400);
      await subscriber.until(/reap\.due\.v1/);
      const printed = subscriber.output.split('\n').filter((line) => line.includes('io.beads.'));
      expect(printed.map((line) => line.split(' ')[1])).toEqual(EVENT_NAMES.map(typeOf));
    },
    120_000,
  );
});
