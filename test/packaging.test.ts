import { execFileSync, spawnSync } from 'node:child_process';
import { access, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parse } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { readVariables } from '../shared/settings/settings.ts';
import { variables } from '../shared/settings/variables.ts';
import { buildKubernetes, buildOwnOverlay, objectsIn, problemsIn } from './world/manifests.ts';
import { Scene } from './world/scene.ts';
import { startServe, type ServedProcess } from './world/served.ts';

/** The ways without Knative: what can be tried of them here. */
const ROOT = join(import.meta.dirname, '..');
const EXAMPLES = join(ROOT, 'examples');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'beads-packaging-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('kubernetes/', () => {
  const yaml = buildKubernetes();

  it('has only fields and kinds that Kubernetes itself knows, and one locked-down container', () => {
    expect(problemsIn(yaml)).toEqual([]);
    const objects = objectsIn(yaml);
    expect(yaml).not.toContain('knative.dev');
    const deployment = objects.find(({ kind }) => kind === 'Deployment');
    expect(deployment?.['spec']).toMatchObject({
      template: {
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          containers: [
            {
              args: ['standalone.cjs'],
              securityContext: {
                runAsNonRoot: true,
                readOnlyRootFilesystem: true,
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'] },
                seccompProfile: { type: 'RuntimeDefault' },
              },
            },
          ],
        },
      },
    });
  });

  it('takes the component monitoring, which finds its Service', async () => {
    const whole = await buildOwnOverlay({
      resources: ['../kubernetes/base'],
      components: ['monitoring'],
    });
    expect(problemsIn(whole)).toEqual([]);
    const objects = objectsIn(whole);
    const { selector } = z
      .looseObject({ selector: z.object({ matchLabels: z.record(z.string(), z.string()) }) })
      .parse(objects.find(({ kind }) => kind === 'ServiceMonitor')?.['spec']);
    const services = objects.filter(({ kind }) => kind === 'Service');
    expect(services.map(({ metadata }) => metadata.labels)).toEqual([
      expect.objectContaining(selector.matchLabels),
    ]);
  });
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!hasSystemd) console.log('packaging: the unit is not verified, there is no systemd-analyze');

describe('examples/systemd and examples/compose.yaml', () => {
  it.skipIf(!hasSystemd)('have a unit that systemd takes, with little exposure', async () => {
    const unit = join(folder, 'beads-dispatch.service');
    // Where the program is installed is for verify to find.
    const text = await readFile(join(EXAMPLES, 'systemd/beads-dispatch.service'), 'utf8');
    await writeFile(unit, text.replaceAll('/usr/local/bin/beads-dispatch', process.execPath));
    const verified = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    expect(verified.stderr.split('\n').filter((line) => line.includes('beads-dispatch'))).toEqual(
      [],
    );
    // 4.0 and more is more than OK.
    const args = ['security', '--offline=true', '--threshold=40', '--no-pager', unit];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect([status, stdout.trim().split('\n').at(-1)]).toEqual([
      0,
      expect.stringMatching(/: [\d.]+ OK/),
    ]);
  });

  it('name only settings that there are', async () => {
    const env = await readFile(join(EXAMPLES, 'systemd/beads-dispatch.env'), 'utf8');
    const inFile =
      env.match(/^#? ?([A-Z_]+)=/gm)?.map((line) => line.replaceAll(/[#= ]/g, '')) ?? [];
    const { services } = z
      .object({
        services: z.object({
          'beads-dispatch': z.looseObject({ environment: z.record(z.string(), z.string()) }),
        }),
      })
      .parse(parse(await readFile(join(EXAMPLES, 'compose.yaml'), 'utf8')));
    const { environment } = services['beads-dispatch'];
    for (const name of [...inFile, ...Object.keys(environment)])
      expect(Object.keys(variables.shape)).toContain(name);
    expect(readVariables(variables, environment)).toMatchObject({ BEADS_DOLT_SERVER_HOST: 'dolt' });
  });
});

describe('the npm package', () => {
  it('installs from its tarball without another package, and its serve dispatches a bead', async () => {
    const scene = await Scene.open();
    let serve: ServedProcess | undefined;
    try {
      const dist = join(ROOT, 'dist/npm');
      execFileSync(process.execPath, [join(ROOT, 'tools/package.ts')]);
      const tarball = (await readdir(dist)).find((name) => name.endsWith('.tgz')) ?? '';
      await copyFile(join(dist, tarball), join(folder, tarball));
      await writeFile(join(folder, 'package.json'), '{}');
      const offline = ['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`];
      execFileSync('npm', offline, { cwd: folder, stdio: 'pipe' });
      const program = join(folder, 'node_modules/.bin/beads-dispatch');
      await access(program);
      const { version } = z
        .object({ version: z.string() })
        .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
      expect(execFileSync(program, ['--version']).toString().trim()).toBe(version);
      serve = await startServe(scene.environment(), [program, 'serve']);
      const dispatched = new Promise<void>((resolve) => {
        scene.sink.onEvent = ({ type }) => {
          if (type.endsWith('dispatched.v1')) resolve();
        };
      });
      await scene.tracker.create('code-a', { assignee: 'agent' });
      await dispatched;
      expect(scene.board.posts).toEqual(['code-a']);
    } finally {
      await serve?.stop();
      await scene.close();
    }
  });
});

describe('a release', () => {
  it('has packages, plugins, manifests and a bill of materials, with their checksums', async () => {
    execFileSync('make', ['release-files'], { cwd: ROOT });
    const release = join(ROOT, 'dist/release');
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
    const files = await readdir(release);
    expect(files).toEqual([
      'SHA256SUMS',
      `beads-auto-dispatch-${version}.tgz`,
      `beads-auto-dispatch-manifests-${version}.tar.gz`,
      `beads-auto-dispatch-plugins-${version}.tar.gz`,
      'sbom.cdx.json',
    ]);
    const checked = execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: release });
    expect(checked.toString().match(/: OK$/gm)).toHaveLength(files.length - 1);
    const bill = z
      .object({
        bomFormat: z.literal('CycloneDX'),
        components: z.array(z.object({ name: z.string(), hashes: z.array(z.unknown()).min(1) })),
      })
      .parse(JSON.parse(await readFile(join(release, 'sbom.cdx.json'), 'utf8')));
    const names = bill.components.map(({ name }) => name);
    // What is bundled, and no tool that is not.
    expect(names).toEqual(expect.arrayContaining(['mysql2', 'zod', 'commander']));
    expect(names).not.toContain('vitest');
  });

  it('is made by a workflow that calls targets which there are', async () => {
    const workflow = await readFile(join(ROOT, '.github/workflows/release.yml'), 'utf8');
    const makefile = await readFile(join(ROOT, 'Makefile'), 'utf8');
    const { jobs } = z
      .object({ jobs: z.record(z.string(), z.object({ steps: z.array(z.looseObject({})) })) })
      .parse(parse(workflow));
    expect(Object.keys(jobs)).toEqual(['check', 'image', 'publish']);
    const targets = [...workflow.matchAll(/run: make ([\w-]+)/g)].map(([, target]) => target);
    expect(targets).toEqual(['test', 'release-files']);
    for (const target of targets) expect(makefile).toMatch(new RegExp(`^${target}:`, 'm'));
    // The bases of the workflow are those of the Containerfile.
    const containerfile = await readFile(join(ROOT, 'Containerfile'), 'utf8');
    for (const [, name, image] of containerfile.matchAll(/^ARG (NODE|RUNTIME)=(.*)$/gm))
      expect(workflow).toContain(`${name}_BASE: ${image}`);
  });
});
