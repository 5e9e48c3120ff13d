import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { KubernetesStandIn } from './world/kubernetes.ts';
import { Scene } from './world/scene.ts';

const PROGRAM = join(import.meta.dirname, '../dist/plugins/kn-beads');
const run = promisify(execFile);
const failure = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

/**
 * A stand-in for kubectl: it forwards a port of its own to the Service's, or says that there is no
 * such Service, as the real one does. It ends only when it is told to.
 */
const KUBECTL = `#!/usr/bin/env node
const net = require('node:net');
const service = process.argv.find((arg) => arg.startsWith('service/'));
const [target, port] = JSON.parse(process.env.SERVICES)[service] ?? [];
if (target === undefined) {
  console.error('Error from server (NotFound): services "' + service.slice(8) + '" not found');
  process.exit(1);
}
const server = net.createServer((socket) => {
  const through = net.connect(port, target);
  socket.pipe(through).pipe(socket);
  for (const each of [socket, through]) each.on('error', () => { socket.destroy(); through.destroy(); });
});
server.listen(0, '127.0.0.1', () => {
  console.log('Forwarding from 127.0.0.1:' + server.address().port + ' -> 3306');
  require('node:fs').appendFileSync(process.env.PIDS, process.pid + '\\n');
});
`;

describe('kn beads --from-cluster', () => {
  let scene: Scene;
  let api: KubernetesStandIn;
  let folder: string;
  let services: Record<string, [string, number]>;
  beforeEach(async () => {
    scene = await Scene.open();
    api = await KubernetesStandIn.start();
    folder = await mkdtemp(join(tmpdir(), 'beads-from-cluster-'));
    await writeFile(join(folder, 'kubectl'), KUBECTL, { mode: 0o755 });
    await writeFile(join(folder, 'pids'), '');
    const { user, password, database, port } = scene.settings;
    services = { 'service/dolt': ['127.0.0.1', port] };
    const metadata = {
      dolt_server_host: 'dolt.beads.svc.cluster.local',
      dolt_server_port: 3306,
      dolt_server_user: user,
      dolt_database: database,
    };
    api.apply('ConfigMap', 'beads-metadata', {
      data: { 'metadata.json': JSON.stringify(metadata) },
    });
    api.apply('ConfigMap', 'beads-settings', {
      data: {
        BEADS_DIR: '/etc/beads',
        MAX_DISPATCHES_PER_TICK: '1',
        BEADBOARD_URL: scene.board.url,
      },
    });
    const encoded = Buffer.from(password ?? '').toString('base64');
    api.apply('Secret', 'beads-secrets', { data: { BEADS_DOLT_PASSWORD: encoded } });
    api.apply('PingSource', 'beads-dispatch', { spec: { schedule: '*/2 * * * *' } });
  });
  afterEach(async () => {
    await api.stop();
    await scene.close();
    await rm(folder, { recursive: true, force: true });
  });

  const beads = async (...args: string[]) =>
    await run(
      process.execPath,
      [PROGRAM, '--from-cluster', '--kubeconfig', api.kubeconfig, ...args],
      {
        cwd: folder,
        env: {
          PATH: `${folder}:${dirname(process.execPath)}:${process.env['PATH']}`,
          TMPDIR: folder,
          SERVICES: JSON.stringify(services),
          PIDS: join(folder, 'pids'),
        },
      },
    );
  const failing = async (...args: string[]) =>
    await beads(...args).then(
      () => expect.fail('it succeeded'),
      (error: unknown) => failure.parse(error),
    );

  it('reads the settings, the Secret and the database of the namespace, and leaves nothing behind', async () => {
    for (const id of ['code-a', 'code-b']) await scene.tracker.create(id, { assignee: 'agent' });
    const { stdout } = await beads('next', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      dispatch: [{ id: 'code-a' }],
      skipped: [{ id: 'code-b', code: 'tick-full' }],
      notAsked: [expect.stringContaining('agent service')],
    });
    const { stdout: plain } = await beads('status');
    expect(plain).not.toContain('Metrics:');
    expect(plain).toMatch(/Next tick: {4}dispatch at .*\(in \d+s\)/);
    api.apply('Trigger', 'beads-wake-dispatch', { spec: { broker: 'beads', filter: {} } });
    expect((await beads('status')).stdout).toContain(
      'Metrics:      kubectl port-forward -n beads svc/beads-watch 8080:80; /metrics\n',
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('kn-beads-'))).toEqual([]);
    const pids = (await readFile(join(folder, 'pids'), 'utf8')).trim().split('\n').map(Number);
    expect(pids).toHaveLength(3);
    for (const pid of pids)
      expect(() => process.kill(pid, 0), 'kubectl has ended').toThrow('ESRCH');
  });

  it('says what is missing: the Service, the right to read a Secret, anything at all', async () => {
    services = {};
    expect(await failing('list')).toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'Error: cannot reach dolt.beads:3306 by kubectl port-forward: Error from server (NotFound): services "dolt" not found\n',
    });
    expect((await failing('list', '-n', 'elsewhere')).stderr).toContain(
      'there is nothing of beads-auto-dispatch in namespace elsewhere',
    );
    api.reply = { status: 403, json: { kind: 'Status', message: 'configmaps is forbidden' } };
    expect((await failing('list')).stderr).toBe(
      'Error: cannot read ConfigMap beads-settings in namespace beads: HTTP 403 configmaps is forbidden\n',
    );
  });
});
