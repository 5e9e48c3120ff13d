import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { objectsIn, problemsIn } from './world/manifests.ts';
import { Scene } from './world/scene.ts';

/** The commands that the guides print: run here, run by another test, or in need of a cluster. */
const ROOT = join(import.meta.dirname, '..');
const GUIDES = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/cli.md',
  'docs/runbook.md',
  'examples/README.md',
  'examples/systemd/README.md',
  'knative/README.md',
  'kubernetes/README.md',
  'openfaas/README.md',
];
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');
const blocksOf = (page: string) =>
  [...read(page).matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);

/** By their first line: which test runs what the block does. */
const RUN_BY: Readonly<Record<string, string>> = {
  'make demo': 'demo.test.ts, and CI itself',
  'make test': 'CI itself',
  'make build\nmkdir -p try/dolt': 'run-it.test.ts',
  'make build\nNOTIFY_URL=': 'examples.test.ts',
  'AUDIT_LOG_FILE=': 'examples.test.ts',
  'make plugins': 'this file',
};
/** What a block is for that nobody can run without a cluster, or as root. */
const NEEDS_MORE = /^\s*(kubectl|kn|sudo|faas-cli|make e2e) |&& sudo |-n beads/m;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'beads-guides-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the guides', () => {
  it.each(GUIDES)(
    '%s prints only commands that a test runs, or that need a cluster or root',
    (page) => {
      for (const block of blocksOf(page)) {
        const isRun = Object.keys(RUN_BY).some((start) => block.startsWith(start));
        expect(isRun || NEEDS_MORE.test(block), block).toBe(true);
      }
    },
  );

  it.each(['knative/README.md', 'kubernetes/README.md'])(
    '%s prints an overlay that kustomize builds and Kubernetes knows',
    (page) => {
      const block = blocksOf(page).find((each) => each.includes('kustomization.yaml')) ?? '';
      const [script = ''] = /^mkdir my-beads[^]*?\n(?:EOF|END)\n/m.exec(block) ?? [];
      for (const part of ['knative', 'kubernetes'])
        cpSync(join(ROOT, part), join(folder, part), { recursive: true });
      execFileSync('bash', ['-c', script], { cwd: folder });
      const yaml = execFileSync(join(ROOT, '.tools/bin/kustomize'), [
        'build',
        join(folder, 'my-beads'),
      ]);
      expect(problemsIn(yaml.toString())).toEqual([]);
      expect(yaml.toString()).toContain('image: registry.example.org/beads-auto-dispatch:1');
      const settings = objectsIn(yaml.toString()).find(
        ({ metadata }) => metadata.name === 'beads-settings',
      );
      expect(settings?.['data']).toMatchObject({ BEADS_DOLT_SERVER_DATABASE: 'code' });
    },
  );

  it('docs/cli.md installs the command line under its names, with completion', async () => {
    const [block = ''] = blocksOf('docs/cli.md');
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const script = `set -e\n${block.replaceAll('/usr/local/bin', bin)}\ncomplete -p beads-dispatch\nbeads-dispatch --version\nkubectl-beads --version\nkubectl_complete-beads wh`;
    const printed = execFileSync('bash', ['-c', script], {
      cwd: ROOT,
      env: { HOME: folder, PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH']}` },
    }).toString();
    expect(printed).toMatch(
      /complete -F _beads_dispatch beads-dispatch\n[\d.]+\n[\d.]+\nwhy\n:4\n$/,
    );
  });
});

const hasJq = spawnSync('jq', ['--version']).status === 0;
if (!hasJq) console.log('guides: the log queries are skipped, there is no jq');

describe.skipIf(!hasJq)('the log queries of the runbook', () => {
  it('find in a real log what they say', async () => {
    const scene = await Scene.open();
    try {
      await scene.tracker.create('code-a1', { assignee: 'agent', acceptance_criteria: '' });
      await scene.tracker.create('code-b2', { assignee: 'agent' });
      await scene.dispatch();
      const input = scene.logged.map((line) => JSON.stringify(line)).join('\n');
      const queries = [...read('docs/runbook.md').matchAll(/^\| .*? \| `(select.*)` +\|$/gm)].map(
        ([, query = '']) => query.replaceAll(String.raw`\|`, '|'),
      );
      expect(queries.length).toBeGreaterThan(4);
      const answers = queries.map((query) =>
        execFileSync('jq', ['-c', query], { input }).toString(),
      );
      expect(answers.join('\n')).toContain('no-acceptance-criteria');
    } finally {
      await scene.close();
    }
  });
});
