import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { freePort, WorldProcess } from './world/process.ts';

/**
 * `make image` with buildah, unchanged. The base images cannot be pulled everywhere, so that images
 * of the same names are made of this machine's files first: stand-ins with the same programs at the
 * same places.
 */
const ROOT = join(import.meta.dirname, '..');
const IMAGE = 'localhost/beads-auto-dispatch:test';
/** Programs that the first stage runs. */
const TOOLS = ['sh', 'env', 'mkdir', 'cp', 'rm', 'ls'];

const canBuild =
  process.getuid?.() === 0 && spawnSync('buildah', ['info'], { stdio: 'ignore' }).status === 0;
if (!canBuild) console.log('image-build: skipped, there is no buildah that works as this user');

describe.skipIf(!canBuild)('make image, with buildah', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-image-build-'));
    const storage = join(folder, 'storage.conf');
    // Images of its own, so that nothing of this machine's is touched.
    await writeFile(
      storage,
      `[storage]\ndriver = "overlay"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/graph"\n`,
    );
    env = {
      ...process.env,
      CONTAINERS_STORAGE_CONF: storage,
      // Without a runtime, and with this machine's network.
      BUILDAH_ISOLATION: 'chroot',
      ENGINE: 'buildah',
    };
    await makeBases();
  }, 300_000);
  afterAll(async () => {
    buildah('rm', '--all');
    await rm(folder, { recursive: true, force: true });
  });

  const buildah = (...args: string[]) => execFileSync('buildah', args, { env }).toString().trim();

  /** A file with the libraries that it needs, at the same place or another. */
  async function add(root: string, file: string, to = file): Promise<void> {
    const libraries = spawnSync('ldd', [file], { encoding: 'utf8' }).stdout.match(/\/\S+/g) ?? [];
    for (const [from, place] of [[file, to], ...libraries.map((library) => [library, library])]) {
      if (from === undefined || place === undefined) continue;
      await mkdir(dirname(join(root, place)), { recursive: true });
      await cp(await realpath(from), join(root, place));
    }
  }

  async function makeBases(): Promise<void> {
    const node = await realpath(process.execPath);
    const which = (name: string) => execFileSync('which', [name]).toString().trim();
    const build = join(folder, 'node');
    await add(build, node, '/usr/local/bin/node');
    for (const tool of TOOLS) await add(build, which(tool), `/usr/bin/${tool}`);
    await add(build, which('sh'), '/bin/sh');
    const npm = join(dirname(await realpath(which('npm'))), '..');
    await cp(npm, join(build, 'usr/local/lib/npm'), { recursive: true });
    await writeFile(
      join(build, 'usr/local/bin/npm'),
      '#!/bin/sh\nexec node /usr/local/lib/npm/bin/npm-cli.js "$@"\n',
      { mode: 0o755 },
    );
    const run = join(folder, 'distroless');
    await add(run, node, '/nodejs/bin/node');
    for (const root of [build, run]) {
      await mkdir(join(root, 'etc/ssl/certs'), { recursive: true });
      await mkdir(join(root, 'tmp'), { recursive: true, mode: 0o1777 });
      await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/root:\nnonroot:x:65532:65532::/:\n');
      await writeFile(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
    }
    const registry = execFileSync('npm', ['config', 'get', 'registry']).toString().trim();
    const certificates = process.env['NODE_EXTRA_CA_CERTS'];
    const extra: string[] = ['--env', `npm_config_registry=${registry}`];
    if (certificates !== undefined && existsSync(certificates)) {
      await cp(certificates, join(build, 'etc/ssl/certs/extra.crt'), { dereference: true });
      extra.push('--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/extra.crt');
    }
    const path = '/usr/local/bin:/usr/bin:/bin';
    commit(build, 'docker.io/library/node:24-trixie-slim', '--env', `PATH=${path}`, ...extra);
    commit(
      run,
      'gcr.io/distroless/nodejs24-debian13:nonroot',
      '--user',
      '65532',
      '--entrypoint',
      '["/nodejs/bin/node"]',
    );
  }

  function commit(root: string, image: string, ...config: string[]): void {
    const container = buildah('from', 'scratch');
    buildah('add', '--quiet', container, root, '/');
    buildah('config', ...config, container);
    buildah('commit', '--quiet', '--rm', container, image);
  }

  it('builds the Containerfile, whose programs start as the user nonroot with a warm cache', async () => {
    execFileSync(join(ROOT, 'tools/image.sh'), [IMAGE], { env, stdio: 'pipe' });

    const inspected = z
      .object({
        OCIv1: z.looseObject({
          config: z.object({
            User: z.string(),
            Entrypoint: z.array(z.string()),
            Cmd: z.array(z.string()),
            Env: z.array(z.string()),
            Labels: z.record(z.string(), z.string()),
          }),
        }),
      })
      .parse(JSON.parse(buildah('inspect', '--type', 'image', IMAGE)));
    const { config } = inspected.OCIv1;
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
    expect(config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/nodejs/bin/node'],
      Cmd: ['program.cjs'],
      Labels: {
        'org.opencontainers.image.title': 'beads-auto-dispatch',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    });

    const container = buildah('from', '--pull-never', IMAGE);
    const asked = ['/nodejs/bin/node', 'program.cjs', '--version'];
    expect(buildah('run', container, '--', ...asked)).toBe(version);
    const root = buildah('mount', container);
    const own = execFileSync('du', ['--bytes', '--summarize', join(root, 'app')]).toString();
    const megabytes = Number(own.split('\t')[0]) / 1e6;
    const page = await readFile(join(ROOT, 'docs/performance.md'), 'utf8');
    const [, told] = /adds (\d+) MB to its base/.exec(page) ?? [];
    expect(Math.abs(megabytes - Number(told)), `${megabytes} MB`).toBeLessThan(1);
    const port = await freePort();
    const settings = {
      PORT: String(port),
      BEADS_DOLT_SERVER_HOST: '127.0.0.1',
      BEADS_DOLT_SERVER_DATABASE: 'code',
      NODE_DEBUG_NATIVE: 'COMPILE_CACHE',
      PROGRAM: 'reap',
    };
    const variables = Object.entries(settings).flatMap(([name, value]) => [
      '--env',
      `${name}=${value}`,
    ]);
    const command = ['/nodejs/bin/node', 'program.cjs'];
    const started = await WorldProcess.start(
      'buildah',
      ['run', ...variables, container, '--', ...command],
      /"listening"/,
      { env },
    );
    const answer = await fetch(`http://127.0.0.1:${port}/_/health`);
    expect(answer.status).toBe(200);
    await started.stop();
    expect(started.output).toMatch(/cache for .*reap\.cjs was accepted/);
  }, 300_000);
});
