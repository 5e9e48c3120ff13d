import type { FunctionProcess } from '../../test/world/function.ts';
import { addBeads, IDLE_AGENT, type Population } from '../beads.ts';
import { tick } from '../client.ts';
import { atMost, show, type Row } from '../row.ts';
import { interleave, ratiosOf, spreadOf, timed, wallOf } from '../sampling.ts';
import type { BenchWorld, Place } from '../world.ts';

const FEW: Population = { eligible: 40, others: 60, dependencies: 5 };
const MANY: Population = { eligible: 200, others: 99_800, dependencies: 5_000 };
const ROUNDS = { warmUps: 3, rounds: 30 };
const IDLE_ROUNDS = { warmUps: 30, rounds: 200 };
/** It has closed thousands of beads, and none is left. */
const IDLE = { AGENT_ASSIGNEE: IDLE_AGENT };
const ONE_A_TICK = { MAX_DISPATCHES_PER_TICK: '1', MAX_ATTEMPTS: '1000' };

/** What a thousand times as many beads cost. */
export async function measureScale(world: BenchWorld): Promise<Row[]> {
  const [few, many] = [await world.place(), await world.place()];
  await addBeads(few.tracker, FEW);
  await addBeads(many.tracker, MANY);
  const busy = await measureTicks(world, few, many);
  const extraMs = busy.many.map((wallMs, round) => wallMs - (busy.few[round] ?? Number.NaN));
  const extra = spreadOf(extraMs);

  const [idleFew, idleMany] = [
    await world.start('dispatch', few, IDLE),
    await world.start('dispatch', many, IDLE),
  ];
  const idle = await interleave(
    {
      few: () => timed(() => tick(idleFew.url)),
      many: () => timed(() => tick(idleMany.url)),
    },
    IDLE_ROUNDS,
  );

  await many.tracker.sql(INDEX);
  await many.tracker.sql("CALL DOLT_COMMIT('-Am', 'index')");
  const indexed = await measureTicks(world, few, many);
  return [
    {
      what: 'tick that dispatches one of 200, on 100,000 beads with 5,000 dependencies',
      ours: show(spreadOf(busy.many), 'ms'),
      against: `the same on 100 beads: ${show(spreadOf(busy.few), 'ms')}`,
      result: `${extra.median.toFixed(1)} ms more`,
      goal: '≤ 40 ms more',
      isMet: extra.median <= 40,
    },
    {
      what: 'the same with the optional index',
      ours: show(spreadOf(indexed.many), 'ms'),
      against: `the same on 100 beads: ${show(spreadOf(indexed.few), 'ms')}`,
      ...atMost(ratiosOf(indexed.many, indexed.few), 1.5),
    },
    {
      what: 'idle tick, warm, on 100,000 beads, nothing changed',
      ours: show(spreadOf(wallOf(idle.many)), 'ms'),
      against: `the same on 100 beads: ${show(spreadOf(wallOf(idle.few)), 'ms')}`,
      ...atMost(ratiosOf(wallOf(idle.many), wallOf(idle.few)), 1.5),
    },
  ];
}

const INDEX = 'CREATE INDEX beads_dispatch_assignee_status ON issues (assignee, status)';

async function measureTicks(world: BenchWorld, few: Place, many: Place) {
  const functions = {
    few: await world.start('dispatch', few, ONE_A_TICK),
    many: await world.start('dispatch', many, ONE_A_TICK),
  };
  const samples = await interleave(
    {
      few: () => dispatchOne(few, functions.few),
      many: () => dispatchOne(many, functions.many),
    },
    ROUNDS,
  );
  for (const each of Object.values(functions)) await each.stop();
  return { few: wallOf(samples.few), many: wallOf(samples.many) };
}

async function dispatchOne({ board, tracker }: Place, dispatch: FunctionProcess) {
  const before = board.jobs.length;
  const sample = await timed(() => tick(dispatch.url));
  const job = board.jobs.at(-1);
  if (job === undefined || board.jobs.length !== before + 1) {
    throw new Error(`${board.jobs.length - before} jobs of a tick that may start one`);
  }
  // There are as many to dispatch in the next round.
  await tracker.assign(job.beadId, 'ann');
  await addBeads(tracker, { eligible: 1 });
  return sample;
}
