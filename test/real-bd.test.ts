import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { issueJson } from '../shared/beads/write/bd-json.ts';
import { unsentCount } from './world/audit.ts';
import { BdWorkspace, findBd, type BdBinary } from './world/bd.ts';
import { Scene } from './world/scene.ts';
import { sharedDoltPort } from './world/shared-dolt.ts';

/**
 * The main job on a database that a real bd made, seen through bd: what it shows of a bead after
 * our ticks, and whether we write what it writes.
 */
const doctorsReport = z.object({
  checks: z.array(z.object({ name: z.string(), status: z.string(), message: z.string() })),
});

const binaries = await findBd();
// oxlint-disable-next-line vitest/expect-expect -- it only says that nothing could be tried
it.runIf(binaries.length === 0)(
  'the tests with a real bd are skipped when there is no bd on PATH',
  ({ skip }) => {
    console.log('real bd: skipped, there is no bd on PATH (set BD to use one that is elsewhere)');
    skip('there is no bd on PATH');
  },
);

describe.each(binaries)('with bd $version', (binary: BdBinary) => {
  let workspace: BdWorkspace;
  let scene: Scene;
  beforeAll(async () => {
    const database = `bd_${randomBytes(5).toString('hex')}`;
    workspace = await BdWorkspace.init(binary, sharedDoltPort(), database);
    scene = await Scene.around(database);
  });
  afterAll(async () => {
    await scene.close();
    await workspace.remove();
  });

  const accept = ['--acceptance', 'It works.'];

  it('a tick dispatches ready beads, best first, and leaves the others as they were', async () => {
    const low = await workspace.create('Low', '-p', '3', ...accept);
    const high = await workspace.create('High & <mighty>', '-p', '0', '-l', 'infra,web', ...accept);
    const blank = await workspace.create('Blank', '-p', '0');
    const other = await workspace.create('Other', '-p', '0', ...accept);
    const waits = await workspace.create('Waits', '-p', '0', ...accept);
    await workspace.bd('dep', 'add', waits, other);
    for (const id of [low, high, blank, waits]) await workspace.bd('assign', id, 'agent');
    await workspace.bd('assign', other, 'person');
    scene.board.capacity = 1;
    const untouched = await Promise.all([blank, other, waits].map((id) => workspace.show(id)));

    expect(await scene.dispatch()).toMatchObject({ eligible: 2, skipped: 3, dispatched: 1 });
    expect(await scene.dispatch()).toMatchObject({ eligible: 1, dispatched: 0 });

    expect(scene.board.posts).toEqual([high]);
    const shown = await workspace.show(high);
    expect(shown).toMatchObject({ status: 'in_progress', assignee: 'agent' });
    expect(String(shown['notes']).split('\n')).toEqual([
      expect.stringMatching(/^auto-dispatcher claimed at .*Z$/),
      `dispatched: job=${scene.board.jobs[0]?.jobId}`,
    ]);
    expect(await workspace.show(low)).toMatchObject({ status: 'open' });
    expect(await Promise.all([blank, other, waits].map((id) => workspace.show(id)))).toEqual(
      untouched,
    );

    await scene.tracker.age(high, 45);
    expect(await scene.reap()).toMatchObject({ blocked: 1 });
    expect(await workspace.show(high)).toMatchObject({
      status: 'blocked',
      notes: expect.stringContaining('reaper: no progress for 45m (threshold 30m) — blocking'),
    });
    expect(scene.sink.typesOf(high)).toEqual([
      'dispatch.claimed.v1',
      'dispatch.dispatched.v1',
      'reap.blocked.v1',
    ]);
  });

  it('a bead is encoded in JSON as bd encodes it', async () => {
    const id = await workspace.create(
      'Quote " \\ <tag> & \u2028 \u00e9 \u{1f600}',
      '-d',
      'a\tb',
      ...accept,
    );
    await workspace.bd('update', id, '--set-metadata', 'team=a&b', '-e', '30');
    const [row] = await scene.tracker.sql('SELECT * FROM issues WHERE id = ?', [id]);
    await workspace.bd('note', id, 'one more');
    const [event] = await scene.tracker.sql(
      "SELECT old_value FROM events WHERE issue_id = ? AND new_value LIKE '%one more%'",
      [id],
    );

    expect(issueJson(row ?? {}, [])).toBe(event?.['old_value']);
  });

  it('unsent events are stored where bd neither exports them nor complains about them', async () => {
    scene.board.capacity = 10;
    await scene.dispatch();
    const before = { exported: await workspace.bd('export'), complaints: await complaints() };
    scene.sink.reply = { status: 503 };
    const waiting = await workspace.create('Waits', ...accept, '--assignee', 'agent');
    await scene.dispatch();
    expect(await unsentCount(scene.tracker)).toBeGreaterThan(0);

    const exported = (await workspace.bd('export')).split('\n');
    const others = exported.filter((line) => !line.includes(waiting));
    expect(others).toEqual(before.exported.split('\n'));
    expect(await complaints()).toEqual(before.complaints);
    scene.sink.reply = { status: 202 };
  });

  it('a dispatch is not undone by the import of an export that was made just before', async () => {
    const id = await workspace.create('Exported', ...accept);
    await workspace.bd('assign', id, 'agent');
    const file = join(workspace.folder, 'export.jsonl');
    await workspace.bd('export', '-o', file);
    await scene.dispatch();
    await workspace.said('import', file);
    await scene.dispatch();

    // bd 1.0 takes what it imports for the truth, also over a newer write of its own.
    if (binary.version.startsWith('1.0.')) return;
    expect(await workspace.show(id)).toMatchObject({ status: 'in_progress' });
    expect(scene.board.posts.filter((posted) => posted === id)).toEqual([id]);
  });

  /** What `bd doctor` does not find in order. */
  async function complaints(): Promise<string[]> {
    const { checks } = doctorsReport.parse(JSON.parse(await workspace.bd('doctor', '--json')));
    return checks
      .filter(({ status }) => status !== 'ok')
      .map(({ name, message }) => `${name}: ${message}`);
  }

  it('bd can read and close a bead after our ticks', async () => {
    const id = scene.board.posts[0] ?? '';
    expect(await workspace.bd('history', id)).toContain('beads');
    await workspace.bd('ready', '--json');
    // bd after 1.2 lets only the assignee close a bead.
    await workspace.bdAs('agent', 'close', id, '--reason', 'seen');
    expect(await workspace.show(id)).toMatchObject({ status: 'closed' });
  });
});

describe.runIf(binaries.length > 1)('upgraded through all of them', () => {
  it(
    'one process dispatches and reaps through all upgrades of bd',
    { timeout: 180_000 },
    async () => {
      const [first, ...newer] = binaries;
      if (first === undefined) return;
      const database = `bd_${randomBytes(5).toString('hex')}`;
      let workspace = await BdWorkspace.init(first, sharedDoltPort(), database);
      const scene = await Scene.around(database);
      scene.board.capacity = 100;
      try {
        const seen: string[] = [];
        for (const binary of [undefined, ...newer]) {
          if (binary !== undefined) workspace = await workspace.upgrade(binary);
          const id = await workspace.create('A bead', '--acceptance', 'It works.', '-a', 'agent');
          expect(await scene.dispatch()).toMatchObject({ dispatched: 1, errors: 0 });
          await scene.tracker.age(id, 45);
          expect(await scene.reap()).toMatchObject({ blocked: 1, errors: 0 });
          expect(await workspace.show(id)).toMatchObject({ status: 'blocked' });
          const [row] = await scene.tracker.sql('SELECT MAX(version) AS v FROM schema_migrations');
          seen.push(String(row?.['v']));
        }
        console.log(`upgraded through migrations ${seen.join(', ')}`);
      } finally {
        await scene.close();
        await workspace.remove();
      }
    },
  );
});
