import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';
import * as z from 'zod';

import { programCommand } from '../world/function.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const { scripts, engines } = z
  .object({
    scripts: z.record(z.string(), z.string()),
    engines: z.object({ node: z.string() }),
  })
  .parse(JSON.parse(read('package.json')));

describe('a program is started with the same options everywhere', () => {
  const { NODE_OPTIONS: options } = programCommand('dispatch').environment;

  it.each(['dispatch', 'reap', 'notify', 'audit-log', 'watch'])(
    'npm starts %s with the same options as the tests',
    (name) => {
      expect(scripts[`start:${name}`]).toBe(`exec tools/start.sh ${name}`);
      expect(read('tools/start.sh')).toContain(
        `NODE_COMPILE_CACHE=dist/.compile-cache NODE_OPTIONS=${options} exec node "$program"`,
      );
    },
  );

  it('the image starts a program with the same options as the tests', () => {
    expect(read('Containerfile')).toContain(`ENV NODE_OPTIONS=${options}\n`);
  });
});

describe('the pages agree with the code', () => {
  it('the pages name the Node version that package.json requires', () => {
    const wanted = engines.node.replace('>=', 'Node ');
    expect(read('README.md')).toContain(`${wanted} or newer`);
    expect(read('CONTRIBUTING.md')).toContain(`${wanted} or newer`);
  });

  it('the glossary has at most forty entries', () => {
    const entries = read('docs/glossary.md')
      .split('\n')
      .filter((line) => /^\| \w/.test(line));
    expect(entries.length - 1).toBeLessThanOrEqual(40);
  });

  it('the pages state the time-out of the relay and the largest sizes as in the code', () => {
    expect(read('shared/events/deliveries.ts')).toContain('SEND_TIMEOUT_MS = 30_000');
    expect(read('docs/failure-modes.md')).toContain('does not answer within 30 s');
    expect(read('shared/runtime/server.ts')).toContain('MAX_REQUEST_BYTES = 65_536');
    expect(read('docs/failure-modes.md')).toContain('a request of more than 64 KiB');
    expect(read('shared/beads/rows/statements.ts')).toContain('MAX_ROW_BYTES = 1_048_576');
    expect(read('docs/failure-modes.md')).toContain('a bead of more than 1 MiB');
  });
});
