import { setTimeout as pause } from 'node:timers/promises';

import { addBeads } from '../beads.ts';
import { send } from '../client.ts';
import { residentMb } from '../kernel.ts';
import { show, type Row } from '../row.ts';
import { spreadOf } from '../sampling.ts';
import type { BenchWorld } from '../world.ts';

const BEADS = 1_000;
const DISPATCHERS = 10;
/** At the same moment, for each dispatcher, again and again. */
const WAKE_UPS = 10;
const LOOK_MS = 500;
/** Nothing that works takes as long. */
const LIMIT_MS = 400_000;
/** What counts as flat. */
const FLAT = 1.5;

/** A moment of the run: how long ticks took to answer, and what the processes hold. */
interface Moment {
  jobs: number;
  tickMs: number[];
  residentMb: number[];
}

/** Many wake-ups at once for many dispatchers, until all beads are out. */
export async function measureLoad(world: BenchWorld): Promise<Row[]> {
  const place = await world.place();
  const { jobs } = place.board;
  const dispatchers = [];
  for (let index = 0; index < DISPATCHERS; index += 1) {
    dispatchers.push(await world.start('dispatch', place));
  }
  await addBeads(place.tracker, { eligible: BEADS });

  const startedAt = performance.now();
  const isOver = () => jobs.length >= BEADS || performance.now() > startedAt + LIMIT_MS;
  const moments: Moment[] = [];
  let tickMs: number[] = [];
  let incomplete = 0;
  const wakeUp = async (url: string) => {
    const sentAt = performance.now();
    if ((await send(url)) !== 204) incomplete += 1;
    tickMs.push(performance.now() - sentAt);
  };
  const load = async (url: string) => {
    while (!isOver()) await Promise.all(Array.from({ length: WAKE_UPS }, () => wakeUp(url)));
  };
  const loading = Promise.all(dispatchers.map(({ url }) => load(url)));
  while (!isOver()) {
    await pause(LOOK_MS);
    const resident = dispatchers.map(({ pid }) => residentMb(pid));
    moments.push({ jobs: jobs.length, tickMs, residentMb: resident });
    tickMs = [];
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await loading;

  const beads = new Set(jobs.map(({ beadId }) => beadId)).size;
  const what = `${DISPATCHERS} dispatchers, ${WAKE_UPS} wake-ups at a time for each, ${BEADS} beads`;
  const [early, late] = [between(moments, 0.25, 0.5), between(moments, 0.75, 1)];
  return [
    {
      what,
      ours: `${seconds.toFixed(0)} s, ${(BEADS / seconds).toFixed(0)} beads a second`,
      against: `${beads} beads out, ${jobs.length} jobs; ${incomplete} ticks asked to be repeated`,
      result: beads === BEADS && jobs.length === BEADS ? 'each once' : 'NOT each once',
      goal: 'each once',
      isMet: beads === BEADS && jobs.length === BEADS,
    },
    flat('the same: a wake-up until its answer, last quarter', 'ms', early.tickMs, late.tickMs),
    flat('the same: resident memory of a dispatcher', 'MB', early.residentMb, late.residentMb),
  ];
}

/** What was seen while this part of the beads went out. */
function between(moments: readonly Moment[], from: number, to: number) {
  const part = moments.filter(({ jobs }) => jobs > from * BEADS && jobs <= to * BEADS);
  return {
    tickMs: part.flatMap((moment) => moment.tickMs),
    residentMb: part.flatMap((moment) => moment.residentMb),
  };
}

function flat(what: string, unit: string, early: readonly number[], late: readonly number[]): Row {
  const ratio = spreadOf(late).median / spreadOf(early).median;
  return {
    what,
    ours: show(spreadOf(late), unit),
    against: `second quarter: ${show(spreadOf(early), unit)}`,
    result: `${ratio.toFixed(2)} ×`,
    goal: `flat: ≤ ${FLAT} ×`,
    isMet: ratio <= FLAT,
  };
}
