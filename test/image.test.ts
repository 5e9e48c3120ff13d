import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { programCommand, programFile } from './world/function.ts';
import { buildKubernetes, buildOverlay, objectsIn, OVERLAYS } from './world/manifests.ts';
import { freePort, WorldProcess } from './world/process.ts';
import { Scene } from './world/scene.ts';

/**
 * What the image is made of, without a container engine: the built files alone in a folder, run by
 * bubblewrap as an unprivileged user who sees a read-only file system and nothing else of this
 * project.
 */
const hasBubblewrap = canRun('bwrap', '--ro-bind', '/', '/', '--unshare-user', 'true');
if (!hasBubblewrap) {
  console.log('image: skipped, there is no bubblewrap that may make a user namespace (bwrap)');
}
const ROOT = join(import.meta.dirname, '..');
const USER = '65532';

describe('the Containerfile', () => {
  it('the image has every program that a manifest starts, and runs as a user that Kubernetes can verify', async () => {
    const built = (await readdir(join(ROOT, 'dist'))).filter((name) => name.endsWith('.cjs'));
    const manifests = [...OVERLAYS.map(buildOverlay), buildKubernetes()].map((yaml) =>
      JSON.stringify(objectsIn(yaml)),
    );
    const started = [...manifests.join('\n').matchAll(/"args":\["([^"]+)"\]/g)];
    const containerfile = await readFile(join(ROOT, 'Containerfile'), 'utf8');
    // The lab is started by `kn beads verify`.
    const others = ['lab.cjs'];
    const [, byDefault] = /^CMD \["(.*)"\]$/m.exec(containerfile) ?? [];
    expect(new Set(built)).toEqual(
      new Set([...started.map(([, program]) => program), byDefault, ...others]),
    );
    // Both where it is baked and where it runs: a compile cache is its user's.
    expect(containerfile.match(/^FROM \$RUNTIME\b/gm)).toHaveLength(2);
    expect(containerfile).toMatch(/^ARG RUNTIME=.*:nonroot$/m);
    expect(containerfile.split(`USER ${USER}:${USER}`)).toHaveLength(3);
    expect(containerfile).toContain('COPY --from=build /src/dist/*.cjs /src/dist/NOTICES.txt ./');
    expect(containerfile).toContain('NODE_COMPILE_CACHE=/app/.compile-cache');
    const { NODE_OPTIONS } = programCommand('dispatch').environment;
    expect(containerfile).toContain(`NODE_OPTIONS=${NODE_OPTIONS}`);
    for (const name of built) expect(containerfile).toContain(name);
  });
});

describe.skipIf(!hasBubblewrap)('the built files on a read-only file system', () => {
  let scene: Scene;
  let folder: string;
  beforeEach(async () => {
    scene = await Scene.open();
    folder = await mkdtemp(join(tmpdir(), 'beads-image-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
    await scene.close();
  });

  async function startIn(name: string, ready: RegExp, settings: Record<string, string>) {
    await bake(name);
    const env = {
      ...scene.environment(),
      NODE_ENV: 'test',
      NODE_COMPILE_CACHE: '/app/.compile-cache',
      NODE_DEBUG_NATIVE: 'COMPILE_CACHE',
      ...settings,
    };
    const program = ['/nodejs/bin/node', `${name}.cjs`];
    const args = [...sandbox('--ro-bind', env), ...program];
    return await WorldProcess.start('bwrap', args, ready);
  }

  /**
   * As in the image: the system's libraries, a Node, the built files, and nothing else of this
   * project.
   */
  function sandbox(bind: '--bind' | '--ro-bind', env: Readonly<Record<string, string>>): string[] {
    return [
      '--clearenv',
      ...['/usr', '/lib', '/lib64', '/etc'].flatMap((path) => ['--ro-bind-try', path, path]),
      ...Object.entries(env).flatMap(([variable, value]) => ['--setenv', variable, value]),
      ...`--ro-bind ${process.execPath} /nodejs/bin/node ${bind} ${folder} /app`.split(' '),
      ...'--dev /dev --proc /proc --remount-ro / --chdir /app --die-with-parent'.split(' '),
      ...`--unshare-user --uid ${USER} --gid ${USER}`.split(' '),
    ];
  }

  /**
   * The built file alone, and what the Node in there compiles of it: the stages of the
   * Containerfile.
   */
  async function bake(name: string): Promise<void> {
    await copyFile(programFile(name), join(folder, `${name}.cjs`));
    await copyFile(join(ROOT, 'tools/bake.ts'), join(folder, 'bake.ts'));
    execFileSync('bwrap', [...sandbox('--bind', {}), '/nodejs/bin/node', 'bake.ts', '/app']);
    await rm(join(folder, 'bake.ts'));
  }

  it.each(['dispatch', 'reap'])(
    '%s on a read-only file system starts, serves a tick and exits when told to',
    async (name) => {
      const port = String(await freePort());
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      const started = await startIn(name, /URL: http/, { PORT: port });
      const answer = await fetch(`http://127.0.0.1:${port}`, {
        method: 'POST',
        headers: { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 'wake', 'ce-source': '/test' },
      });
      expect(answer.status).toBe(204);
      expect(scene.board.posts).toEqual(name === 'dispatch' ? ['code-a1'] : []);
      expect(started.output).toMatch(new RegExp(`cache for .*${name}.cjs was accepted`));
      await started.stop();
    },
  );

  it('watch on a read-only file system starts and sends a wake-up', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const woken = new Promise<string>((resolve) => {
      scene.sink.onEvent = ({ type }) => {
        resolve(type);
      };
    });
    const started = await startIn('watch', /watch starts/, {});
    expect(await woken).toBe('io.beads.dispatch.due.v1');
    await started.stop();
  });
});

function canRun(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
