import type { RowDataPacket } from 'mysql2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { NO_EVENTS } from './world/no-events.ts';
import { STATE_SQL } from '../shared/beads/rows/statements.ts';
import { BeadsDatabase } from '../shared/beads/beads.ts';
import { DatabaseProxy } from './world/database-proxy.ts';
import { connectTo } from './world/database.ts';
import { Scene } from './world/scene.ts';

/** A look at what has not changed since the last one is a question for one hash. */
describe('a look in a warm process', () => {
  let scene: Scene;
  let proxy: DatabaseProxy;
  let database: BeadsDatabase;
  beforeEach(async () => {
    scene = await Scene.open();
    proxy = await DatabaseProxy.start(scene.settings.port);
    database = new BeadsDatabase({ ...scene.settings, port: proxy.port }, 'agent');
    await scene.tracker.create('code-busy', { assignee: 'agent', status: 'in_progress' });
    await scene.tracker.create('code-mum', { assignee: 'agent', acceptance_criteria: '' });
  });
  afterEach(async () => {
    await proxy.stop();
    await scene.close();
  });

  const look = async () =>
    await database.use(NO_EVENTS, async (beads) => await beads.readSnapshot());
  const queries = () => proxy.statements.filter((sql) => sql.includes('oldest_unsent')).length;

  it('a warm process reads the beads once, and again after any write of anybody', async () => {
    await look();
    await look();
    await look();
    expect(queries()).toBe(1);

    const { tracker } = scene;
    const writes: Record<string, () => Promise<unknown>> = {
      'a bead is assigned': () => tracker.create('code-new', { assignee: 'agent' }),
      'a note is added': () => tracker.note('code-busy', 'going on'),
      'a worker sends a heartbeat': () => tracker.heartbeat('code-busy'),
      'an event is recorded': () =>
        tracker.sql("INSERT INTO local_metadata VALUES ('beads-dispatch.outbox.1', '{}')"),
      'bd migrates': () => tracker.sql('CREATE TABLE attachments (id INT PRIMARY KEY)'),
    };
    for (const [index, [name, write]] of Object.entries(writes).entries()) {
      await write();
      await look();
      await look();
      expect(queries(), name).toBe(index + 2);
    }
  });

  it('a snapshot of unchanged rows has the current time, not that of the rows', async () => {
    await scene.tracker.create('code-later', { assignee: 'agent', defer_until: '2030-01-01' });
    const before = await look();
    const after = await look();
    expect(queries()).toBe(1);
    expect(after.now.getTime()).toBeGreaterThan(before.now.getTime());
    expect(after).toEqual({ ...before, now: after.now });
  });

  it('a snapshot never has the rows of another state than that of its hash', async () => {
    const writer = await connectTo(scene.settings.port, scene.settings.database);
    const reader = await connectTo(scene.settings.port, scene.settings.database);
    const titles = new Map<string, Set<string>>();
    const done = new AbortController();
    const writing = (async () => {
      for (let title = 0; title < 300; title += 1) {
        await writer.query("UPDATE issues SET title = ? WHERE id = 'code-busy'", [title]);
      }
      done.abort();
    })();
    while (!done.signal.aborted) {
      // As a look reads them: one after the other, in one transaction.
      await reader.query('START TRANSACTION');
      const [[tick]] = await reader.query<RowDataPacket[]>(`SELECT ${STATE_SQL} AS state`);
      const [[bead]] = await reader.query<RowDataPacket[]>(
        "SELECT title FROM issues WHERE id = 'code-busy'",
      );
      await reader.query('COMMIT');
      const state = String(tick?.['state']);
      titles.set(state, (titles.get(state) ?? new Set()).add(String(bead?.['title'])));
    }
    await writing;
    await writer.query("CALL DOLT_COMMIT('-am', 'titles')");
    await Promise.all([writer.end(), reader.end()]);
    expect(titles.size).toBeGreaterThan(10);
    expect([...titles.values()].filter(({ size }) => size > 1)).toEqual([]);
  });
});
