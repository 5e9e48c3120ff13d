import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { programCommand } from '../../test/world/function.ts';
import { freePort } from '../../test/world/process.ts';
import { tick } from '../client.ts';
import { cpuMsOf, residentMb } from '../kernel.ts';
import { atMost, show, type Row } from '../row.ts';
import { cpuOf, interleave, ratiosOf, spreadOf, wallOf, type Sample } from '../sampling.ts';
import type { BenchWorld } from '../world.ts';

const ROUNDS = { warmUps: 3, rounds: 25 };
const MEMORY_ROUNDS = { warmUps: 0, rounds: 5 };
const TICKS = 100;
/** How often a fresh process is asked whether it listens yet. */
const KNOCK_MS = 1;

const BARE = [process.execPath, join(import.meta.dirname, '../programs/bare-server.cjs')];

/** A fresh process until its first answer, and what it holds after many. */
export async function measureStart(world: BenchWorld): Promise<Row[]> {
  const place = await world.place();
  const { command, environment } = programCommand('dispatch');
  const ours = { ...environment, ...place.variables };
  const first = await interleave(
    { ours: () => firstAnswer(command, ours), bare: () => firstAnswer(BARE, {}) },
    ROUNDS,
  );
  const memory = await interleave(
    { ours: () => memoryAfter(command, ours), bare: () => memoryAfter(BARE, {}) },
    MEMORY_ROUNDS,
  );
  const bare = 'an empty http server of Node';
  return [
    {
      what: 'first tick of a fresh process: start, connect, look, answer',
      ours: show(spreadOf(wallOf(first.ours)), 'ms'),
      against: `${bare}: ${show(spreadOf(wallOf(first.bare)), 'ms')}`,
      ...atMost(ratiosOf(wallOf(first.ours), wallOf(first.bare)), 4),
    },
    {
      what: 'the same, time on a processor',
      ours: show(spreadOf(cpuOf(first.ours)), 'ms'),
      against: `${bare}: ${show(spreadOf(cpuOf(first.bare)), 'ms')}`,
      ...atMost(ratiosOf(cpuOf(first.ours), cpuOf(first.bare)), 4),
    },
    {
      what: `resident memory after ${TICKS} ticks`,
      ours: show(spreadOf(wallOf(memory.ours)), 'MB'),
      against: `${bare}: ${show(spreadOf(wallOf(memory.bare)), 'MB')}`,
      ...atMost(ratiosOf(wallOf(memory.ours), wallOf(memory.bare)), 1.6),
    },
  ];
}

type Environment = Readonly<Record<string, string>>;

async function firstAnswer(command: readonly string[], environment: Environment): Promise<Sample> {
  return await withProcess(command, environment, async (child, url) => {
    const startedAt = performance.now();
    await untilAnswered(child, url);
    const wallMs = performance.now() - startedAt;
    return { wallMs, cpuMs: cpuMsOf(child.pid ?? -1) };
  });
}

/** The sample's figure is megabytes. */
async function memoryAfter(command: readonly string[], environment: Environment): Promise<Sample> {
  return await withProcess(command, environment, async (child, url) => {
    await untilAnswered(child, url);
    for (let ticks = 1; ticks < TICKS; ticks += 1) await tick(url);
    return { wallMs: residentMb(child.pid ?? -1) };
  });
}

async function withProcess<T>(
  [command = '', ...args]: readonly string[],
  environment: Environment,
  work: (child: ChildProcess, url: string) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  const env = { PATH: process.env['PATH'], ...environment, PORT: String(port) };
  const child = spawn(command, args, { env, stdio: 'ignore' });
  const exited = once(child, 'exit');
  try {
    return await work(child, `http://127.0.0.1:${port}`);
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

async function untilAnswered(child: ChildProcess, url: string): Promise<void> {
  for (;;) {
    try {
      await tick(url, false);
      return;
    } catch (error) {
      const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
      if (!refused || child.exitCode !== null) throw error;
      await pause(KNOCK_MS);
    }
  }
}
