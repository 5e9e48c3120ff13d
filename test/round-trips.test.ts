import { afterEach, describe, expect, it } from 'vitest';

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
  [/^\s*SELECT issues\.\*/, 'read'],
  [/FROM \(SELECT UTC_TIMESTAMP/, 'look'],
  [/parent\.defer_until/, 'deferred parents'],
  [/FROM ready_issues/, 'ready view'],
  [/issue_id IN .* FROM|FROM events WHERE issue_id IN/s, 'failures of the beads'],
  [/created_at > CURRENT_TIMESTAMP/, 'misses of all beads'],
  [/GET_LOCK\('beads-dispatch:relay|RELEASE_LOCK/, 'relay'],
  [/key` >= 'beads-dispatch\.outbox.* LIMIT/s, 'relay'],
  [/DELETE FROM local_metadata .*outbox/s, 'relay'],
  [/GET_LOCK/, 'lock that tells of a live claimer'],
  [/FROM labels/, 'labels'],
  [/UPDATE issues/, 'bead'],
  [/INSERT INTO events/, 'event row'],
  [/INSERT INTO local_metadata .*outbox/s, 'outbox'],
  [/INSERT INTO local_metadata .*intent/s, 'intent'],
  [/DELETE FROM local_metadata .*intent/s, 'intent done'],
  [/DOLT_ADD/, 'add'],
  [/DOLT_COMMIT/, 'commit in Dolt'],
  [/START TRANSACTION/, 'begin'],
  [/^COMMIT/, 'end'],
];

const nameOf = (sql: string) => NAMES.find(([pattern]) => pattern.test(sql))?.[1] ?? sql;

describe('a dispatched bead', () => {
  it.each([32, 66] as const)('takes these round trips, on schema %i', async (generation) => {
    scene = await Scene.open(generation);
    proxy = await DatabaseProxy.start(scene.settings.port);
    const database = new BeadsDatabase({ ...scene.settings, port: proxy.port }, 'agent');
    await scene.dispatch({ database });
    await scene.tracker.create('code-a', { assignee: 'agent' });
    proxy.statements.length = 0;

    expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1 });

    const transition = ['begin', 'read', 'labels', 'bead', 'event row', 'outbox'];
    const commit = ['add', 'commit in Dolt', 'end'];
    const view = generation === 32 ? ['ready view'] : [];
    const roundTrips = [
      // What is there, and why it should wait: four or five queries for any number of beads.
      ['look', view, 'deferred parents', 'failures of the beads', 'misses of all beads'],
      ['lock that tells of a live claimer', transition, commit],
      // On record before the POST, so that a crash leaves no doubt; and read back on a fresh connection.
      ['intent', 'read'],
      [transition, 'intent done', commit],
      // Whether somebody has made another bead ready meanwhile.
      'look',
    ];
    expect(proxy.statements.map(nameOf).filter((name) => name !== 'relay')).toEqual(
      roundTrips.flat(2),
    );
  });
});
