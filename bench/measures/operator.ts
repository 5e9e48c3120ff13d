import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { addBeads } from '../beads.ts';
import { show, type Row } from '../row.ts';
import { interleave, spreadOf, timed, wallOf } from '../sampling.ts';
import type { BenchWorld, Place } from '../world.ts';

const run = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '../../dist/plugins/kn-beads');
const ROUNDS = { warmUps: 2, rounds: 15 };
const MORE_MS = 300;

/** What an operator waits for: a whole process, from its start to its answer. */
export async function measureOperator(world: BenchWorld): Promise<Row[]> {
  const [few, many] = [await world.place(), await world.place()];
  await addBeads(few.tracker, { eligible: 40, others: 60 });
  await addBeads(many.tracker, { eligible: 200, others: 99_800, dependencies: 5_000 });
  const rows: Row[] = [];
  for (const command of ['why', 'status'] as const) {
    const [askFew, askMany] = [await asking(few, command), await asking(many, command)];
    const samples = await interleave({ few: askFew, many: askMany }, ROUNDS);
    const [fewMs, manyMs] = [wallOf(samples.few), wallOf(samples.many)];
    const extra = spreadOf(manyMs.map((wallMs, round) => wallMs - (fewMs[round] ?? Number.NaN)));
    rows.push({
      what: `kn beads ${command}, start to answer, on 100,000 beads`,
      ours: show(spreadOf(manyMs), 'ms'),
      against: `the same on 100 beads: ${show(spreadOf(fewMs), 'ms')}`,
      result: `${extra.median.toFixed(1)} ms more`,
      goal: `≤ ${MORE_MS} ms more`,
      isMet: extra.median <= MORE_MS,
    });
  }
  return rows;
}

async function asking({ tracker, variables }: Place, command: 'why' | 'status') {
  const [row] = await tracker.sql("SELECT MIN(id) AS id FROM issues WHERE assignee = 'agent'");
  const args = command === 'why' ? [command, String(row?.['id'])] : [command];
  const env = { PATH: process.env['PATH'], KUBECONFIG: '/dev/null', ...variables };
  return async () =>
    await timed(async () => void (await run(process.execPath, [PROGRAM, ...args], { env })));
}
