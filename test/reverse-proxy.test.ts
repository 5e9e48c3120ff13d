import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { freePort, WorldProcess } from './world/process.ts';
import { Scene } from './world/scene.ts';
import { startWatcher, type ServedProcess } from './world/served.ts';

/** The watcher behind real reverse proxies, with the configuration of examples/reverse-proxy. */
const EXAMPLES = join(import.meta.dirname, '../examples/reverse-proxy');
const UPSTREAM = 'beads-watch.beads.svc.cluster.local';
const PASSWORD = 'open sesame';
const AUTHORIZED = { authorization: `Basic ${Buffer.from(`ops:${PASSWORD}`).toString('base64')}` };

const has = (program: string, flag: string) => spawnSync(program, [flag]).status === 0;
const PROXIES = [
  { name: 'nginx', isThere: has('nginx', '-v'), start: startNginx },
  { name: 'caddy', isThere: has('caddy', 'version'), start: startCaddy },
];
for (const { name, isThere } of PROXIES) {
  if (!isThere) console.log(`reverse-proxy: ${name} is skipped, it is not installed`);
}

describe.each(PROXIES)('behind $name', ({ isThere, start }) => {
  let scene: Scene;
  let watcher: ServedProcess;
  let counter: Server;
  /** Requests that got through the proxy. */
  let passed: string[];
  let folder: string;
  let proxy: WorldProcess | undefined;
  let url: string;
  beforeEach(async (context) => {
    if (!isThere) context.skip();
    scene = await Scene.open();
    watcher = await startWatcher(scene, { K_SINK: '', BASE_PATH: '/beads' });
    folder = await mkdtemp(join(tmpdir(), 'beads-proxy-'));
    passed = [];
    counter = createServer((incoming, outgoing) => {
      passed.push(String(incoming.url));
      const { method, headers } = incoming;
      const onwards = request(watcher.url + incoming.url, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      outgoing.once('close', () => onwards.destroy());
      onwards.once('error', () => outgoing.destroy());
      incoming.pipe(onwards);
    });
    const behind = await freePort();
    await new Promise<void>((resolve) => counter.listen(behind, '127.0.0.1', resolve));
    const port = await freePort();
    proxy = await start(folder, port, behind);
    url = `http://127.0.0.1:${port}/beads`;
  });
  afterEach(async () => {
    if (!isThere) return;
    await proxy?.stop();
    counter.closeAllConnections();
    counter.close();
    await watcher.stop();
    await scene.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('the page and its API are under the path, and a request without a password never gets through', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    for (const path of ['/', '/api/v1/state', '/api/v1/events']) {
      expect((await fetch(url + path, { redirect: 'manual' })).status, path).toBe(401);
    }
    expect(passed).toEqual([]);
    const page = await fetch(`${url}/`, { headers: AUTHORIZED, redirect: 'error' });
    expect(page.status).toBe(200);
    // What the page asks for, as a browser resolves it.
    const [, script = ''] = /<script[^>]*>([^]*)<\/script>/.exec(await page.text()) ?? [];
    expect(script).toContain("read('api/v1/state')");
    const state = await fetch(new URL('api/v1/state', `${url}/`), { headers: AUTHORIZED });
    expect(await state.json()).toMatchObject({ beads: [{ id: 'code-a' }] });
    const bead = await fetch(`${url}/api/v1/beads/code-a`, { headers: AUTHORIZED });
    expect(bead.status).toBe(200);
  });

  it('events stream through', async () => {
    const answer = await fetch(`${url}/api/v1/events`, { headers: AUTHORIZED });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    await scene.tracker.create('code-a', { assignee: 'agent' });
    let seen = '';
    while (!seen.includes('event: changed')) seen += (await reader?.read())?.value ?? '';
    expect(passed).toEqual(['/beads/api/v1/events']);
    await reader?.cancel();
  });
});

async function startNginx(folder: string, port: number, behind: number): Promise<WorldProcess> {
  const passwords = join(folder, 'beads.htpasswd');
  await writeFile(passwords, `ops:{PLAIN}${PASSWORD}\n`);
  const server = (await readFile(join(EXAMPLES, 'nginx.conf'), 'utf8'))
    .replace('8443', `127.0.0.1:${port}`)
    .replace('/etc/nginx/beads.htpasswd', passwords)
    .replace(UPSTREAM, `127.0.0.1:${behind}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    `user root; daemon off; master_process off; pid ${folder}/pid; error_log stderr notice;
     events {} http { access_log off; ${temporary.join(' ')} ${server} }`,
  );
  return await WorldProcess.start('nginx', ['-c', config], /start worker|using the/);
}

async function startCaddy(folder: string, port: number, behind: number): Promise<WorldProcess> {
  const hash = execFileSync('caddy', ['hash-password', '--plaintext', PASSWORD]).toString().trim();
  const site = (await readFile(join(EXAMPLES, 'Caddyfile'), 'utf8'))
    .replace(':8443', `http://127.0.0.1:${port}`)
    .replace(`${UPSTREAM}:80`, `127.0.0.1:${behind}`);
  const config = join(folder, 'Caddyfile');
  await writeFile(config, `{\n\tadmin off\n}\n${site}`);
  const args = ['run', '--config', config, '--adapter', 'caddyfile'];
  const env = { HOME: folder, PASSWORD_HASH: hash };
  return await WorldProcess.start('caddy', args, /serving initial configuration/, { env });
}
