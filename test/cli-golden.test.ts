import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Scene } from './world/scene.ts';

/** What each command prints, kept in test/golden, with the times and random ids taken out. */
const PROGRAM = join(import.meta.dirname, '../dist/plugins/kn-beads');
const GOLDEN = join(import.meta.dirname, 'golden');
const WIDTH = 80;
const run = promisify(execFile);

let scene: Scene;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'beads-golden-'));
  scene = await Scene.open();
});
afterEach(async () => {
  await scene.close();
  await rm(folder, { recursive: true, force: true });
});

async function print(...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    BEADS_ACTOR: 'ops',
    TZ: 'UTC',
    KUBECONFIG: join(folder, 'none'),
    ...scene.environment(),
  };
  const { stdout } = await run(process.execPath, [PROGRAM, ...args], { env, cwd: folder }).catch(
    // Somebody should look at it: status says so by its exit code.
    (error: { stdout: string }) => error,
  );
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(WIDTH);
  return stdout;
}

/** Times, ages and random ids become letters of the same length, so that columns stay where they are. */
const plain = (text: string) =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (time) => time.replaceAll(/\d/g, '0'))
    .replaceAll(/\d\d:\d\d:\d\d/g, '00:00:00')
    .replaceAll(/\((?:in )?[\dhms]+(?: ago)?\)/g, '(…)')
    .replaceAll(/\b[0-9a-f]{12}\b/g, '0123456789ab')
    .replaceAll(/\b[0-9a-f]{32}\b/g, '0123456789abcdef'.repeat(2))
    // Whether two changes fell into one second is chance.
    .replaceAll(/ \+\ds /g, '     ')
    .replaceAll(/(?<= )\+?\d+[sm](?=[ ,]|$|\n)/gm, (age) => age.replaceAll(/\d/g, '0'));

describe('kn beads prints', () => {
  it('what the files in test/golden hold, within 80 columns', async () => {
    const { tracker, board, sink } = scene;
    await tracker.create('code-run', { assignee: 'agent', title: 'Draft the release notes' });
    await tracker.create('code-bad', { assignee: 'agent', title: 'Fix the import', priority: 3 });
    board.onPost = (id) => (id === 'code-bad' ? { status: 400, json: { error: 'no' } } : undefined);
    sink.onDelivery = ({ type }) => (type.endsWith('claimed.v1') ? { status: 400 } : undefined);
    await scene.dispatch();
    await tracker.create('code-blank', { assignee: 'agent', acceptance_criteria: '' });
    await tracker.create('code-next', { assignee: 'agent', title: 'Update the docs', priority: 1 });
    await tracker.create('code-typo', { assignee: 'agnet' });
    const commands = [
      ['status'],
      ['list'],
      ['next'],
      ['why', 'code-bad'],
      ['why', 'code-next'],
      ['why', 'code-run'],
      ['why', 'code-typo'],
      ['why', 'code-none'],
      ['history', 'code-run'],
      ['today'],
      ['outbox'],
      ['tail'],
      ['retry', 'code-bad', '--now', '--dry-run'],
      ['release', 'code-run', '--dry-run'],
      ['wait', 'code-run', '--for', 'dispatched'],
      ['--help'],
    ];
    const outputs: string[] = [];
    for (const args of commands)
      outputs.push(`$ kn beads ${args.join(' ')}\n${plain(await print(...args))}`);
    await expect(outputs.join('\n')).toMatchFileSnapshot(join(GOLDEN, 'commands.txt'));
  });
});
