import { afterEach, describe, expect, it } from 'vitest';

import { NO_EVENTS } from './world/no-events.ts';
import { BeadsDatabase } from '../shared/beads/beads.ts';
import { DatabaseProxy } from './world/database-proxy.ts';
import { Scene } from './world/scene.ts';

/** Each statement is a round trip; what is not needed is not asked. */
let scene: Scene;
let proxy: DatabaseProxy;
afterEach(async () => {
  await proxy.stop();
  await scene.close();
});

/** Words by which a statement is known. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/information_schema/, 'probe'],
  [/SET SESSION/, 'relay'],
  [/^SELECT @@/, 'relay'],
  [/^SELECT dolt_hashof_db/, 'unchanged?'],
  [/^SELECT issues\.\*/, 'read'],
  [/^SELECT UTC_TIMESTAMP\(6\) AS server_time, dolt_hashof_db/, 'tick'],
  [/status IN \('open', 'in_progress'\)/, 'beads'],
  [/foreign_key_checks = 0/, 'id stays'],
  [/foreign_key_checks = 1/, 'checks on'],
  [/parent\.defer_until/, 'deferred parents'],
  [/FROM ready_issues/, 'ready view'],
  [/FROM events WHERE issue_id IN/, 'failures of the beads'],
  [/created_at > CURRENT_TIMESTAMP/, 'misses of all beads'],
  [/GET_LOCK\('beads-dispatch:relay|RELEASE_LOCK/, 'relay'],
  [/key` >= 'beads-dispatch\.(outbox|parked).* LIMIT \d\d/s, 'relay'],
  [/DELETE FROM local_metadata .*outbox/s, 'relay'],
  [/AS newest_key/, 'outbox, journal, versions'],
  [/FROM leases/, 'lease'],
  [/GET_LOCK/, 'lock that tells of a live claimer'],
  [/FROM labels/, 'labels'],
  [/UPDATE issues/, 'bead'],
  [/INSERT INTO events/, 'event row'],
  [/INSERT INTO local_metadata .*outbox/s, 'outbox'],
  [/INSERT INTO local_metadata .*intent/s, 'intent'],
  [/DELETE FROM local_metadata .*intent/s, 'intent done'],
  [/SELECT .*follow-up/s, 'follow-ups'],
  [/INSERT INTO local_metadata .*follow-up/s, 'follow-up'],
  [/DOLT_ADD/, 'add'],
  [/DOLT_COMMIT/, 'commit in Dolt'],
  [/START TRANSACTION/, 'begin'],
  [/^COMMIT/, 'end'],
];

const nameOf = (sql: string) => NAMES.find(([pattern]) => pattern.test(sql.trim()))?.[1] ?? sql;
/** What one packet asks for: statements are joined by a semicolon at the end of a line. */
const namesIn = (packet: string) => packet.split(/;\n/).map(nameOf).join(', ');

describe('a dispatched bead', () => {
  it.each([32, 65] as const)(
    'a dispatch of one bead takes exactly these round trips, on schema %i',
    async (generation) => {
      scene = await Scene.open(generation);
      proxy = await DatabaseProxy.start(scene.settings.port);
      const database = new BeadsDatabase({ ...scene.settings, port: proxy.port }, 'agent');
      await scene.dispatch({ database });
      await scene.tracker.create('code-a', { assignee: 'agent' });
      proxy.statements.length = 0;

      expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1 });

      const view = generation === 32 ? ', ready view' : '';
      const lease = generation === 32 ? '' : ', lease';
      const read = `begin, labels, read, outbox, journal, versions${lease}`;
      expect(proxy.statements.map(namesIn).filter((names) => !names.includes('relay'))).toEqual([
        // Only in a warm process: has anything changed since the last look?
        'unchanged?',
        // What is there, and why it should wait: two round trips for any number of beads.
        'begin, tick, beads, follow-ups, end',
        `deferred parents, misses of all beads${view}`,
        // The snapshot that is decided on. Nothing else can be asked before the decision is known.
        `lock that tells of a live claimer, ${read}`,
        // Apart from the commit, because Dolt continues after a statement that failed.
        'id stays, bead, checks on, event row, outbox, add',
        'commit in Dolt',
        // Not with the one before: it would keep what a failed Dolt commit leaves behind.
        'end',
        // On record before the POST, so that a crash leaves no doubt; and only then read back.
        'intent',
        'read',
        read,
        'id stays, bead, checks on, event row, outbox, intent done, follow-up, add',
        'commit in Dolt',
        'end',
      ]);
    },
  );
});

describe('what an operator asks', () => {
  it('status takes one round trip more than the snapshot of a tick', async () => {
    scene = await Scene.open();
    proxy = await DatabaseProxy.start(scene.settings.port);
    const database = new BeadsDatabase({ ...scene.settings, port: proxy.port }, 'agent');
    await scene.tracker.create('code-a', { assignee: 'agent' });
    const trips = async (asksAll: boolean) => {
      const before = proxy.statements.length;
      await database.inspect(NO_EVENTS, async (beads, inspector) => {
        await beads.readSnapshot();
        if (asksAll) await inspector.overview();
      });
      return proxy.statements.length - before;
    };
    await trips(true);
    expect(await trips(true)).toBe((await trips(false)) + 1);
    database.close();
  });
});
