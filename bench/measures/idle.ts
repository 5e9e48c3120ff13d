import { connectAs } from '../beads.ts';
import { tick } from '../client.ts';
import { atMost, show, type Row } from '../row.ts';
import { interleave, ratiosOf, spreadOf, timed, wallOf } from '../sampling.ts';
import type { BenchWorld } from '../world.ts';

const ROUNDS = { warmUps: 50, rounds: 400 };

/** A tick that finds nothing, in a process that has ticked before. */
export async function measureIdle(world: BenchWorld): Promise<Row[]> {
  const place = await world.place();
  const dispatch = await world.start('dispatch', place);
  const { idle, selectOne } = await interleave(
    {
      idle: async () => await timed(() => tick(dispatch.url)),
      selectOne: async () =>
        await timed(async () => {
          const connection = await connectAs(place);
          await connection.query('SELECT 1');
          connection.destroy();
        }),
    },
    ROUNDS,
  );
  return [
    {
      what: 'idle tick, warm, over HTTP',
      ours: show(spreadOf(wallOf(idle)), 'ms'),
      against: `\`SELECT 1\` on a fresh connection: ${show(spreadOf(wallOf(selectOne)), 'ms')}`,
      ...atMost(ratiosOf(wallOf(idle), wallOf(selectOne)), 1.5),
    },
  ];
}
