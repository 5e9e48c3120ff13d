import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { BdBinary } from '../../test/world/bd.ts';
import { addBeads, closeAll } from '../beads.ts';
import { tick } from '../client.ts';
import { atLeast, notMeasured, show, type Row } from '../row.ts';
import { interleave, ratiosOf, spreadOf, timed, wallOf } from '../sampling.ts';
import type { BenchWorld, Place } from '../world.ts';

const ROUNDS = { warmUps: 3, rounds: 15 };
const DRAIN_ROUNDS = { warmUps: 0, rounds: 2 };
const BEADS = 100;

const SCRIPT = join(import.meta.dirname, '../programs/shell-dispatch.sh');
const run = promisify(execFile);

/** Dispatches by the function, against the same steps by bd, curl and jq in shell. */
export async function measureDispatch(world: BenchWorld): Promise<Row[]> {
  const { bd } = world;
  const whats = ['one dispatch, warm, over HTTP', `${BEADS} beads drained`] as const;
  if (bd === undefined) return whats.map((what) => notMeasured(what, 'no bd on PATH or in BD'));

  const place = await world.place(bd);
  const dispatch = await world.start('dispatch', place);
  const shell = async () => await runScript(place, bd);
  const one = await interleave(
    {
      ours: () => dispatched(place, 1, () => tick(dispatch.url)),
      shell: () => dispatched(place, 1, shell),
    },
    ROUNDS,
  );
  const many = await interleave(
    {
      ours: () => dispatched(place, BEADS, () => tick(dispatch.url)),
      shell: () => dispatched(place, BEADS, shell),
    },
    DRAIN_ROUNDS,
  );
  const script = `bd ${bd.version}, curl and jq in shell`;
  return [
    {
      what: whats[0],
      ours: show(spreadOf(wallOf(one.ours)), 'ms'),
      against: `${script}: ${show(spreadOf(wallOf(one.shell)), 'ms')}`,
      ...atLeast(ratiosOf(wallOf(one.shell), wallOf(one.ours)), 10),
    },
    {
      what: whats[1],
      ours: show(spreadOf(wallOf(many.ours)), 'ms'),
      against: `the same: ${show(spreadOf(wallOf(many.shell)), 'ms')}`,
      ...atLeast(ratiosOf(wallOf(many.shell), wallOf(many.ours)), 20),
    },
  ];
}

/** Makes beads, ticks until all are dispatched, and closes them; only the ticks are timed. */
async function dispatched(place: Place, beads: number, tickOnce: () => Promise<void>) {
  await addBeads(place.tracker, { eligible: beads });
  const before = place.board.jobs.length;
  const sample = await timed(async () => {
    while (place.board.jobs.length < before + beads) {
      const jobs = place.board.jobs.length;
      await tickOnce();
      if (place.board.jobs.length === jobs) throw new Error('a tick dispatched nothing');
    }
  });
  const jobs = place.board.jobs.slice(before);
  if (new Set(jobs.map(({ beadId }) => beadId)).size !== beads) {
    throw new Error(`${jobs.length} jobs for ${beads} beads`);
  }
  await closeAll(place.tracker);
  return sample;
}

async function runScript({ workspace, board }: Place, bd: BdBinary): Promise<void> {
  if (workspace === undefined) throw new Error('the script needs a workspace of bd');
  const { cwd, env } = workspace.options('beads-dispatcher');
  await run(SCRIPT, { cwd, env: { ...env, BD: bd.path, BEADBOARD_URL: board.url } });
}
