import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { HttpStandIn, type Exchange } from './world/http-stand-in.ts';
import { KubernetesStandIn } from './world/kubernetes.ts';
import { buildOverlay, objectsIn } from './world/manifests.ts';

/**
 * The plugins of kn as kn starts them: executables with its global flags, against a stand-in API.
 */

const PLUGINS = join(import.meta.dirname, '../dist/plugins');
const run = promisify(execFile);
const NEVER = '0 0 31 2 *';
const FILTERS = [{ exact: { type: 'io.beads.dispatch.due.v1' } }];
const failure = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

describe('kn', () => {
  let api: KubernetesStandIn;
  beforeEach(async () => {
    api = await KubernetesStandIn.start();
    api.apply('PingSource', 'beads-dispatch', { spec: { schedule: '*/2 * * * *', sink: {} } });
    api.apply('PingSource', 'beads-reap', { spec: { schedule: '*/10 * * * *', sink: {} } });
  });
  afterEach(() => api.stop());

  /** @returns what it printed on stdout. @throws with stderr when it fails. */
  async function kn(plugin: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(join(PLUGINS, plugin), [...args, '--kubeconfig', api.kubeconfig]);
    return stdout;
  }
  async function failing(plugin: string, ...args: string[]): Promise<z.output<typeof failure>> {
    return await kn(plugin, ...args).then(
      (stdout) => {
        throw new Error(`it succeeded: ${stdout}`);
      },
      (error: unknown) => failure.parse(error),
    );
  }
  const scheduleOf = (name: string) => api.get('PingSource', name).spec?.['schedule'];

  it('kn source ping suspend and resume keep the schedule and print what they did', async () => {
    expect(await kn('kn-source-ping-suspend', 'beads-dispatch')).toBe(
      "PingSource 'beads-dispatch' in namespace 'beads' suspended; its schedule */2 * * * * is kept.\n",
    );
    expect(scheduleOf('beads-dispatch')).toBe(NEVER);
    expect(api.get('PingSource', 'beads-dispatch').spec).toMatchObject({ sink: {} });
    expect(await kn('kn-source-ping-suspend', 'beads-dispatch')).toContain('suspended already');
    expect(api.patches).toHaveLength(1);

    expect(await kn('kn-source-ping-resume', 'beads-dispatch')).toBe(
      "PingSource 'beads-dispatch' in namespace 'beads' resumed; its schedule */2 * * * * is back.\n",
    );
    expect(scheduleOf('beads-dispatch')).toBe('*/2 * * * *');
    expect(api.get('PingSource', 'beads-dispatch').metadata.annotations).toEqual({});
    expect(await kn('kn-source-ping-resume', 'beads-dispatch')).toContain('is not suspended');
    expect(api.patches).toHaveLength(2);
  });

  it('kn source ping resume keeps a schedule that was applied while suspended', async () => {
    await kn('kn-source-ping-suspend', 'beads-dispatch');
    api.apply('PingSource', 'beads-dispatch', { spec: { schedule: '*/5 * * * *' } });
    expect(await kn('kn-source-ping-resume', 'beads-dispatch')).toContain('*/5 * * * * stays');
    expect(scheduleOf('beads-dispatch')).toBe('*/5 * * * *');
    expect(api.get('PingSource', 'beads-dispatch').metadata.annotations).toEqual({});

    await kn('kn-source-ping-suspend', 'beads-dispatch');
    api.apply('PingSource', 'beads-dispatch', { spec: { schedule: '*/7 * * * *' } });
    await kn('kn-source-ping-suspend', 'beads-dispatch');
    await kn('kn-source-ping-resume', 'beads-dispatch');
    expect(scheduleOf('beads-dispatch')).toBe('*/7 * * * *');
  });

  it('kn source ping suspend keeps the meaning of a missing schedule', async () => {
    api.apply('PingSource', 'every-minute', { spec: {} });
    await kn('kn-source-ping-suspend', 'every-minute');
    await kn('kn-source-ping-resume', 'every-minute');
    expect(scheduleOf('every-minute')).toBe('* * * * *');
  });

  it('kn source ping resume says when there is no schedule to restore', async () => {
    api.apply('PingSource', 'never', { spec: { schedule: NEVER } });
    const { code, stdout } = await failing('kn-source-ping-resume', 'never');
    expect(code).toBe(1);
    expect(stdout).toContain('cannot be resumed');
  });

  it('kn source ping suspend does not overwrite a concurrent change', async () => {
    api.onPatch = () => {
      api.onPatch = undefined;
      api.apply('PingSource', 'beads-dispatch', { spec: { schedule: '*/3 * * * *' } });
    };
    await kn('kn-source-ping-suspend', 'beads-dispatch');
    await kn('kn-source-ping-resume', 'beads-dispatch');
    expect(scheduleOf('beads-dispatch')).toBe('*/3 * * * *');
  });

  it('kn beads pause stops dispatch, lets the reaper run and says that manual dispatch continues', async () => {
    const said = await kn('kn-beads', 'pause');
    expect(said).toContain("PingSource 'beads-dispatch' in namespace 'beads' suspended");
    expect(said).toContain('manual dispatch in BeadBoard continues');
    expect(said).not.toContain('beads-wake');
    expect([scheduleOf('beads-dispatch'), scheduleOf('beads-reap')]).toEqual([
      NEVER,
      '*/10 * * * *',
    ]);

    expect(await kn('kn-beads', 'resume')).toContain('Beads are dispatched automatically.');
    expect(scheduleOf('beads-dispatch')).toBe('*/2 * * * *');
  });

  it('kn beads pause changes everything although its output is closed after the first line', async () => {
    const program = join(PLUGINS, 'kn-beads');
    const { stdout, stderr } = await run('bash', [
      '-c',
      `${process.execPath} ${program} pause --all --kubeconfig ${api.kubeconfig} | head -1`,
    ]);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('');
    expect([scheduleOf('beads-dispatch'), scheduleOf('beads-reap')]).toEqual([NEVER, NEVER]);
  });

  it('kn beads pause also stops the wake-ups, and stops both functions with --all', async () => {
    api.apply('Trigger', 'beads-wake-dispatch', { spec: { broker: 'beads', filters: FILTERS } });
    api.apply('Trigger', 'beads-wake-reap', { spec: { broker: 'beads' } });
    await kn('kn-beads', 'pause', '--all', '-n', 'beads');
    const filtersOf = (name: string) => api.get('Trigger', name).spec?.['filters'];
    for (const name of ['beads-wake-dispatch', 'beads-wake-reap']) {
      expect(filtersOf(name)).toEqual([{ exact: { type: 'io.beads.paused' } }]);
    }
    expect(await kn('kn-beads', 'status')).toBe(
      [
        'FUNCTION  ASKED BY    NAME                 STATE      SETTING',
        'dispatch  PingSource  beads-dispatch       suspended  schedule */2 * * * * kept',
        'dispatch  Trigger     beads-wake-dispatch  suspended  filter kept',
        'reap      PingSource  beads-reap           suspended  schedule */10 * * * * kept',
        'reap      Trigger     beads-wake-reap      suspended  filter kept',
        'Metrics:      kubectl port-forward -n beads svc/beads-watch 8080:80; /metrics',
        '',
      ].join('\n'),
    );
    const before = api.patches.length;
    await kn('kn-beads', 'pause', '--all');
    expect(api.patches).toHaveLength(before);

    await kn('kn-beads', 'resume');
    expect(filtersOf('beads-wake-dispatch')).toEqual(FILTERS);
    expect(filtersOf('beads-wake-reap')).toBeUndefined();
    expect(await kn('kn-beads', 'status')).not.toContain('suspended');
  });

  it('kn beads status and resume say when PAUSED is set in the ConfigMap', async () => {
    api.apply('ConfigMap', 'beads-settings', { data: { PAUSED: 'true' } });
    expect(await kn('kn-beads', 'status')).toContain(
      'PAUSED is set in the ConfigMap beads-settings',
    );
    expect(await kn('kn-beads', 'resume')).toContain('ticks come and do nothing');
  });

  it('kn beads resume undoes the overlay paused', async () => {
    const paused = objectsIn(buildOverlay('paused')).find(
      ({ kind, metadata }) => kind === 'PingSource' && metadata.name === 'beads-dispatch',
    );
    const { metadata, spec } = z
      .looseObject({
        metadata: z.looseObject({ annotations: z.record(z.string(), z.string()) }),
        spec: z.record(z.string(), z.unknown()),
      })
      .parse(paused);
    api.apply('PingSource', 'beads-dispatch', { spec });
    api.get('PingSource', 'beads-dispatch').metadata.annotations = metadata.annotations;
    await kn('kn-beads', 'resume');
    expect(scheduleOf('beads-dispatch')).toBe('0 * * * *');
  });

  it.each([
    ['kn-source-ping-suspend', ['nope'], 'there is no PingSource nope in namespace beads'],
    ['kn-source-ping-suspend', ['x', '-n', 'other'], 'there is no PingSource x in namespace other'],
    ['kn-source-ping-suspend', [], "missing required argument 'name'"],
    ['kn-source-ping-suspend', ['x', '--context', 'no'], 'it has no context no'],
    [
      'kn-beads',
      ['pause', '-n', 'other'],
      'there is nothing of beads-auto-dispatch in namespace other',
    ],
    ['kn-beads', ['status', '-n', 'other'], 'name another with -n'],
  ])('%s %j fails with one line', async (plugin, args, line) => {
    const { code, stderr } = await failing(plugin, ...args);
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(line);
  });

  it.each([
    [
      { status: 403, json: { kind: 'Status', message: 'pingsources is forbidden' } },
      'is forbidden',
    ],
    [{ status: 500, text: 'oh' }, 'HTTP 500'],
    ['hangup', 'cannot read PingSource beads-dispatch'],
  ] as const)(
    'kn beads pause reports the error of the Kubernetes API in one line: %j',
    async (reply, line) => {
      api.reply = reply;
      const { stderr } = await failing('kn-beads', 'pause');
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stderr).toContain(line);
    },
  );
});

describe('kn beads hooks', () => {
  let folder: string;
  let sink: HttpStandIn;
  let requests: Exchange[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-hooks-'));
    requests = [];
    sink = await HttpStandIn.start((exchange) => {
      requests.push(exchange);
      return { status: 202 };
    });
  });
  afterEach(async () => {
    await sink.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const install = async (...args: string[]) =>
    await run(join(PLUGINS, 'kn-beads'), ['hooks', '--url', sink.url, '--dir', folder, ...args]);
  /** As bd starts it: the bead's JSON on stdin. */
  const start = async (hook: string, bead: object) => {
    const started = run(join(folder, 'hooks', hook), ['code-a1', 'update']);
    started.child.stdin?.end(JSON.stringify(bead));
    await started;
  };

  it('an installed hook asks for a tick only when a bead of the agent was written', async () => {
    await install();
    await install();
    await start('on_update', { id: 'code-a1', assignee: 'agent' });
    await start('on_close', { id: 'code-a1', assignee: 'person' });
    await start('on_create', { id: 'code-a1' });
    expect(requests).toHaveLength(1);
    expect(requests[0]?.headers).toMatchObject({
      'ce-specversion': '1.0',
      'ce-type': 'io.beads.dispatch.due.v1',
    });
  });

  it('an installed hook uses the assignee that --assignee names', async () => {
    await install('--assignee', 'robot');
    await start('on_update', { assignee: 'agent' });
    expect(requests).toEqual([]);
    await start('on_update', { assignee: 'robot' });
    expect(requests).toHaveLength(1);
  });

  it('an installed hook does not fail when the sink is unreachable', async () => {
    await install();
    await sink.stop();
    await expect(start('on_update', { assignee: 'agent' })).resolves.toBeUndefined();
    sink = await HttpStandIn.start(() => ({ status: 202 }));
  });

  it('kn beads hooks replaces a hook that somebody else wrote only with --force', async () => {
    await mkdir(join(folder, 'hooks'));
    const theirs = join(folder, 'hooks/on_update');
    await writeFile(theirs, '#!/bin/sh\necho theirs\n');
    await expect(install()).rejects.toThrow('is not ours; --force replaces it');
    expect(await readFile(theirs, 'utf8')).toContain('theirs');
    await install('--force');
    expect(await readFile(theirs, 'utf8')).not.toContain('theirs');
  });
});
