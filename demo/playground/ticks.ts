import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

import * as z from 'zod';

import type { FunctionProcess } from '../../test/world/function.ts';
import { inLocalTime } from '../../cli/output.ts';
import { skippedIn, stopped } from '../../test/world/log-lines.ts';
import type { Command } from './command.ts';
import type { Playground } from './playground.ts';

/** Ticks, and what they leave behind to look at. */

const PROGRAM = join(import.meta.dirname, '../../dist/plugins/kn-beads');
const run = promisify(execFile);
const failure = z.object({ stdout: z.string(), stderr: z.string() });

export const TICK_COMMANDS: Readonly<Record<string, Command>> = {
  dispatch: {
    usage: 'dispatch',
    help: 'one tick of the dispatcher, and why it left what it left',
    run: async (playground) => {
      const log = await tick(playground, playground.world.dispatch);
      for (const { id, message } of skippedIn(log))
        playground.print(`  ${id.padEnd(8)} ${inLocalTime(message)}`);
      for (const { nextBead, message } of stopped(log))
        playground.print(`  ${nextBead.padEnd(8)} waits: ${message}`);
      const { board, agent } = playground.world;
      const idle = board.working.filter((id) => agent.isIdle(id));
      if (board.running >= board.capacity && idle.length === board.running)
        playground.print(
          `  all agents are stuck on ${idle.join(', ')}; try: agent finish ${idle[0]}, or agent die ${idle[0]}`,
        );
    },
  },
  reap: {
    usage: 'reap',
    help: 'one tick of the reaper',
    run: async (playground) => {
      await tick(playground, playground.world.reap);
    },
  },
  kn: {
    usage: 'kn beads <command>',
    help: 'the command line, on this database',
    completes: [
      ['beads'],
      ['status', 'list', 'why', 'next', 'history', 'today', 'outbox', 'retry'],
      'bead',
    ],
    run: async (playground, name, ...words) => {
      if (name !== 'beads') throw new Error('kn has only beads here; try: kn beads status');
      const env = { PATH: process.env['PATH'], ...playground.world.environment(), ...NO_CLUSTER };
      const ran = await run(process.execPath, [PROGRAM, ...words], { env }).catch(
        (error: unknown) => failure.parse(error),
      );
      for (const line of (ran.stdout + ran.stderr).trimEnd().split('\n')) playground.print(line);
    },
  },
  log: {
    usage: 'log [file]',
    help: 'the lines that the functions have logged, or into a file',
    run: async (playground, file) => {
      const { dispatch, reap } = playground.world;
      const lines = `${dispatch.output}${reap.output}`;
      if (file === undefined)
        for (const line of lines.trimEnd().split('\n')) playground.print(line);
      else {
        await writeFile(file, lines);
        playground.print(`${lines.split('\n').length - 1} lines are in ${file}`);
      }
    },
  },
  subscribe: {
    usage: 'subscribe <url>',
    help: 'sends each event there, too, as a Trigger does',
    run: (playground, url = '') => {
      if (!URL.canParse(url)) throw new Error(`"${url}" is no address`);
      playground.world.subscribers.broker.triggers.push({ url, filter: () => true });
      playground.print(`events go to ${url}, too`);
    },
  },
};

const NO_CLUSTER = { KUBECONFIG: '/dev/null', BEADS_ACTOR: 'you' };

const COUNTS = [
  'dispatched',
  'failed',
  'busy',
  'unconfirmed',
  'blocked',
  'released',
  'orphaned',
  'completed',
];

type Line = Readonly<Record<string, unknown>>;
const LOOK_AGAIN_MS = 10;

/** @returns the lines that the tick logged. */
async function tick(playground: Playground, program: FunctionProcess) {
  const before = program.log.length;
  const status = await program.tick();
  // A tick's last line, which may be on its way when the answer is there.
  await playground.world.agent.begun();
  const isLast = ({ msg, level }: Line) => msg === 'tick' || level === 'error';
  while (!program.log.slice(before).some(isLast)) await pause(LOOK_AGAIN_MS);
  const log = program.log.slice(before);
  const line = log.findLast(isLast) ?? {};
  if (status === 204) {
    const did = COUNTS.flatMap((name) =>
      Number(line[name] ?? 0) > 0 ? [`${String(line[name])} ${name}`] : [],
    );
    playground.print(`the tick is done: ${did.join(', ') || 'nothing to do'}`);
  } else {
    const { msg } = line;
    playground.print(`the tick failed: ${typeof msg === 'string' ? msg : `HTTP ${status}`}`);
  }
  return log;
}
