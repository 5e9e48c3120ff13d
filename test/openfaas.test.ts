import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';

import { readVariables } from '../shared/settings/settings.ts';
import { variables } from '../shared/settings/variables.ts';
import { pingHeaders, programCommand } from './world/function.ts';
import { freePort, WorldProcess } from './world/process.ts';
import { Scene } from './world/scene.ts';

/** The functions as OpenFaaS starts and asks them, with the settings of openfaas/stack.yaml. */
const STACK = join(import.meta.dirname, '../openfaas/stack.yaml');
const stack = z.object({
  functions: z.record(
    z.string(),
    z.looseObject({
      image: z.string(),
      annotations: z.object({ topic: z.string(), schedule: z.string() }),
      environment: z.record(z.string(), z.string()),
      secrets: z.array(z.string()),
    }),
  ),
});
/** What OpenFaaS itself reads of the environment. */
const WATCHDOG = ['read_timeout', 'write_timeout', 'exec_timeout'];
const SECRETS = '/var/openfaas/secrets/';
/** The claim and its outcome are recorded in this at most, through a restart of the server. */
const RECORD_SECONDS = 25;

let scene: Scene;
let folder: string;
let running: WorldProcess | undefined;
let url: string;
beforeEach(async () => {
  scene = await Scene.open();
  folder = await mkdtemp(join(tmpdir(), 'beads-openfaas-'));
});
afterEach(async () => {
  await running?.stop('SIGKILL');
  running = undefined;
  await rm(folder, { recursive: true, force: true });
  await scene.close();
});

async function functionsOf() {
  return stack.parse(parse(await readFile(STACK, 'utf8'))).functions;
}

/** Starts what the image starts, with the environment of the stack but for addresses and folders. */
async function start(name: string, replaced: Record<string, string> = {}): Promise<WorldProcess> {
  const { environment = {} } = (await functionsOf())[name] ?? {};
  const { BEADS_DOLT_PASSWORD: password, ...addresses } = scene.environment();
  const secret = join(folder, 'beads-dolt-password');
  await writeFile(secret, `${password}\n`);
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const { command, environment: own } = programCommand('program');
  const [file = '', ...args] = command;
  const env = {
    PATH: process.env['PATH'],
    PORT: String(port),
    ...own,
    ...environment,
    ...addresses,
    BEADS_DOLT_PASSWORD_FILE: secret,
    ...replaced,
  };
  running = await WorldProcess.start(file, args, /"listening"/, { env });
  return running;
}

/** Exactly these headers, and Host. */
async function post(headers: Record<string, string>, body = ''): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const sent = request(url, { method: 'POST', headers }, (answer) => {
    answer.resume();
    resolve(answer.statusCode);
  });
  sent.on('error', reject).end(body);
  return await promise;
}

/** As the connector of August 2026 sends it. */
const fromConnector = () =>
  post({
    'user-agent': 'Go-http-client/1.1',
    'content-length': '0',
    'x-connector': 'cron-connector',
    'x-topic': 'cron-function',
    'accept-encoding': 'gzip',
  });

const probe = async (path: string) => (await fetch(`${url}${path}`)).status;

describe('openfaas/stack.yaml', () => {
  it('has settings that there are, secrets from files, and time for the longest tick', async () => {
    const functions = await functionsOf();
    expect(Object.keys(functions)).toEqual(['beads-dispatch', 'beads-reap']);
    for (const { annotations, environment, secrets } of Object.values(functions)) {
      expect(annotations.topic).toBe('cron-function');
      const { PROGRAM, BEADS_DOLT_PASSWORD_FILE, ...others } = environment;
      expect(['dispatch', 'reap']).toContain(PROGRAM);
      expect(secrets.map((name) => SECRETS + name)).toEqual([BEADS_DOLT_PASSWORD_FILE]);
      const ours = Object.entries(others).filter(([name]) => !WATCHDOG.includes(name));
      for (const [name] of ours) expect(Object.keys(variables.shape)).toContain(name);
      const settings = readVariables(variables, Object.fromEntries(ours));
      expect(settings.ACCEPT_PLAIN_POST).toBe(true);
      const longestMs = settings.TICK_TIMEOUT_MS + settings.DISPATCH_TIMEOUT_MS;
      for (const name of WATCHDOG)
        expect(Number.parseInt(others[name] ?? '')).toBeGreaterThan(
          longestMs / 1000 + RECORD_SECONDS,
        );
    }
  });
});

describe('the image on OpenFaaS', () => {
  it('dispatches on what the cron-connector sends, and answers where its health is asked for', async () => {
    await start('beads-dispatch');
    expect([await probe('/_/health'), await probe('/_/ready')]).toEqual([200, 200]);
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    expect(await fromConnector()).toBe(204);
    expect(scene.board.posts).toEqual(['code-a1']);
    // Anything else must still be a CloudEvent.
    expect(await post({ 'content-type': 'application/json' }, '{}')).toBe(400);
    expect(await post({ 'ce-id': '1', 'content-length': '0' })).toBe(400);
    expect(await post(pingHeaders('dispatch'))).toBe(204);
  });

  it('reaps on it, and takes no new request once it has been told to end', async () => {
    const reap = await start('beads-reap');
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    await scene.dispatch();
    await scene.tracker.age('code-a1', 31);
    expect(await fromConnector()).toBe(204);
    expect((await scene.tracker.show('code-a1')).status).toBe('blocked');
    // A sink that does not answer keeps the process up for the events on their way.
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    scene.sink.onDelivery = async () => {
      asked.resolve();
      await answer.promise;
      return undefined;
    };
    await scene.tracker.update('code-a1', { status: 'in_progress' });
    await scene.tracker.age('code-a1', 31);
    await fromConnector();
    await asked.promise;
    process.kill(reap.pid, 'SIGTERM');
    await expect.poll(() => probe('/_/ready')).toBe(503);
    expect(await probe('/_/health')).toBe(200);
    answer.resolve();
  });

  it('refuses what the cron-connector sends unless it is told to take it', async () => {
    await start('beads-dispatch', { ACCEPT_PLAIN_POST: 'false' });
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    expect(await fromConnector()).toBe(400);
    expect(scene.board.posts).toEqual([]);
  });

  it('says which programs there are when it is told another one', async () => {
    await expect(start('beads-dispatch', { PROGRAM: 'cron' })).rejects.toThrow(
      'PROGRAM is "cron"; it takes one of audit-log, dispatch, lab, notify, reap, standalone, watch',
    );
  });
});
