import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Connection } from '../shared/beads/sql/connection.ts';
import { DuplicateKeyError } from '../shared/beads/sql/sql-error.ts';
import { Scene } from './world/scene.ts';

/** Several statements in one round trip, and what Dolt makes of it when one of them fails. */
describe('a batch', () => {
  let scene: Scene;
  let session: Connection;
  beforeEach(async () => {
    scene = await Scene.open();
    session = await Connection.open(scene.settings);
  });
  afterEach(async () => {
    session.close();
    await scene.close();
  });

  const insert = (key: string) =>
    ['INSERT INTO local_metadata (`key`, value) VALUES (?, ?)', [key, 'x']] as const;
  const keys = async () => {
    const rows = await scene.tracker.sql('SELECT `key` FROM local_metadata ORDER BY `key`');
    return rows.map((row) => String(row['key']));
  };

  it('a batch returns the rows of each statement', async () => {
    const answers = await session.batch([
      ['START TRANSACTION'],
      ['SELECT ? AS a UNION ALL SELECT ?', [1, 2]],
      ['SELECT ? AS b', ["it's; SELECT 3"]],
    ]);
    expect(answers).toEqual([[], [{ a: 1 }, { a: 2 }], [{ b: "it's; SELECT 3" }]]);
  });

  it('a batch that fails in the middle changes nothing, and the session continues', async () => {
    await session.query(...insert('there'));
    const failing = session.batch([['START TRANSACTION'], insert('before'), insert('there')]);
    await expect(failing).rejects.toThrow(DuplicateKeyError);
    expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await keys()).toEqual(['there']);
  });

  it('the server continues a batch after a failed statement, so no statement in it may commit', async () => {
    const failing = session.batch([insert('a'), insert('a'), insert('b')]);
    await expect(failing).rejects.toThrow(DuplicateKeyError);
    // It answers after what it is still busy with.
    await expect.poll(keys).toEqual(['a', 'b']);
  });

  it('a batch keeps the locks of the session, also when it fails', async () => {
    await session.batch([session.lock('ours'), ['SELECT 1']]);
    await expect(session.batch([['SELECT 1'], ['SELECT * FROM nothing']])).rejects.toThrow(
      'is not the schema it was',
    );
    const [row] = await scene.tracker.sql("SELECT IS_FREE_LOCK('ours') AS free");
    expect(Number(row?.['free'])).toBe(0);
  });
});
