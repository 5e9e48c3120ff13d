import type { Connection as MysqlConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SchemaCache } from '../shared/beads/schema/schema-cache.ts';
import { Connection } from '../shared/beads/sql/connection.ts';
import { runTransition } from '../shared/beads/write/run-transition.ts';
import { claim } from '../shared/beads/write/transitions.ts';
import { connectTo } from './world/database.ts';
import { NO_EVENTS } from './world/no-events.ts';
import { Scene } from './world/scene.ts';
import { sharedDoltPort } from './world/shared-dolt.ts';

/** Enough to show it every time; `make proofs` has 200. */
const DISPATCHERS = 50;
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 10);

describe(`${DISPATCHERS} dispatchers that want one bead`, () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.open();
  });
  afterAll(async () => {
    await scene.close();
  });

  it(
    `concurrent claims of one bead have exactly one winner in each of ${ROUNDS} rounds`,
    { timeout: 1_800_000 },
    async () => {
      const sessions = await Promise.all(
        Array.from({ length: DISPATCHERS }, () => Connection.open(scene.settings)),
      );
      try {
        const schema = new SchemaCache(() => {});
        const winners: number[] = [];
        for (let round = 0; round < ROUNDS; round += 1) {
          const id = `code-r${round}`;
          await scene.tracker.create(id, { assignee: 'agent' });
          const bead = await scene.use(async (beads) => {
            const { open } = await beads.readSnapshot();
            const candidate = open.find((entry) => entry.bead.id === id);
            if (candidate === undefined) throw new Error(`${id} is not open`);
            return candidate.bead;
          });
          const outcomes = await Promise.all(
            sessions.map((session) => runTransition(session, schema, NO_EVENTS, claim(bead, 1))),
          );
          winners.push(outcomes.filter(({ done }) => done).length);
          expect((await scene.tracker.show(id)).notes.match(/claimed/g)).toHaveLength(1);
          expect(await scene.tracker.eventsBy('beads-dispatcher', id)).toHaveLength(1);
        }
        console.log(
          `${ROUNDS} rounds of ${DISPATCHERS}: winners ${[...new Set(winners)].join(', ')}`,
        );
        expect(winners).toEqual(Array.from({ length: ROUNDS }, () => 1));
      } finally {
        for (const session of sessions) session.close();
      }
    },
  );

  it('a plain conditional update without the token has more than one winner', async () => {
    const connections = await Promise.all(
      Array.from({ length: DISPATCHERS }, () =>
        connectTo(sharedDoltPort(), scene.settings.database),
      ),
    );
    try {
      await scene.tracker.create('code-naive', { assignee: 'agent' });
      const won = await naiveClaims(connections, 'code-naive');
      await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'the naive claim')");
      console.log(`the naive claim has ${won} winners of ${DISPATCHERS}`);
      expect(won).toBeGreaterThan(1);
    } finally {
      await Promise.all(connections.map((connection) => connection.end()));
    }
  });
});

/** What one would write for MySQL: all look, then all update, then all commit. */
async function naiveClaims(connections: readonly MysqlConnection[], id: string): Promise<number> {
  for (const connection of connections) await connection.query('START TRANSACTION');
  const changed = await Promise.all(
    connections.map(async (connection) => {
      const [result] = await connection.query(
        "UPDATE issues SET status = 'in_progress' WHERE id = ? AND status = 'open'",
        [id],
      );
      return 'affectedRows' in result && result.affectedRows === 1;
    }),
  );
  const committed = await Promise.allSettled(
    connections.map((connection) => connection.query('COMMIT')),
  );
  return committed.filter(({ status }, index) => status === 'fulfilled' && changed[index]).length;
}
