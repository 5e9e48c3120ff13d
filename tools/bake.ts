import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Fills the compile cache of the built programs: `node tools/bake.ts FOLDER` runs each of them,
 * with nothing to connect to, until it has answered once, and ends it. Node keeps then what it has
 * compiled, and takes it at each later start with NODE_COMPILE_CACHE. It holds for this very Node,
 * this path and this user; any other does without, so that the image bakes as it runs.
 *
 * It stands alone, because the image has nothing else to run it with.
 */

const folder = resolve(process.argv[2] ?? 'dist');
const cache = join(folder, '.compile-cache');
const KNOCK_MS = 20;
/** A program that is not up by then is broken. */
const PATIENCE_MS = 30_000;

rmSync(cache, { recursive: true, force: true });
/** Started once in a while, and of no use without its Dolt server. */
const UNBAKED = 'lab.cjs';

const programs = readdirSync(folder).filter((name) => name.endsWith('.cjs') && name !== UNBAKED);
for (const file of programs) await bake(file);
const kept = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) =>
  entry.isFile(),
);
if (kept.length < programs.length)
  throw new Error(`${kept.length} of ${programs.length} are in ${cache}`);

async function bake(file: string): Promise<void> {
  const [port, nothing] = [await freePort(), await freePort()];
  const nowhere = `http://127.0.0.1:${nothing}`;
  const child = spawn(process.execPath, [join(folder, file)], {
    env: {
      NODE_COMPILE_CACHE: cache,
      PORT: String(port),
      BEADS_DOLT_SERVER_HOST: '127.0.0.1',
      BEADS_DOLT_SERVER_PORT: String(nothing),
      BEADS_DOLT_SERVER_DATABASE: 'none',
      BEADBOARD_URL: nowhere,
      K_SINK: nowhere,
      NOTIFY_URL: nowhere,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    const early = exited.then(([code]) => {
      throw new Error(`${file} ended with ${code} before it was up`);
    });
    early.catch(() => undefined);
    child.stdout.resume();
    // The watch listens to nobody; it says when it is there.
    const isUp =
      file === 'watch.cjs' ? once(child.stdout, 'data') : untilAnswered(`http://127.0.0.1:${port}`);
    await Promise.race([isUp, early]);
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

async function untilAnswered(url: string): Promise<void> {
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/bake',
    'ce-type': 'io.beads.bake.v1',
  };
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await fetch(url, { method: 'POST', headers, signal: AbortSignal.timeout(PATIENCE_MS) });
      return;
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await pause(KNOCK_MS);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
