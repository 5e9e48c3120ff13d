import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { format } from 'prettier';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { deliberateFor } from './conformance/deliberate.ts';
import { compare, plain, plainJson, traceOf, type Names } from './conformance/difference.ts';
import { prepareWaiting, readyByBothOf } from './conformance/readiness.ts';
import { CASES, prepare, type Role, type Stage, type Step } from './conformance/scenario.ts';
import { conformanceTable, type Conformance } from './conformance/table.ts';
import { BdWorkspace, findBd, type BdBinary } from './world/bd.ts';
import { Scene } from './world/scene.ts';
import { sharedDoltPort } from './world/shared-dolt.ts';

/**
 * The same scenario played by bd and by our ticks on two databases that one bd made; then every
 * cell of every table is compared, and what bd itself says of them. `make conformance` writes the
 * table into docs/conformance.md.
 */
const binaries = await findBd();
const results: Conformance[] = [];

// oxlint-disable-next-line vitest/expect-expect -- it only says that nothing could be tried
it.runIf(binaries.length === 0)(
  'the conformance tests are skipped when there is no bd on PATH',
  ({ skip }) => {
    console.log(
      'conformance: skipped, there is no bd on PATH (set BD to use one that is elsewhere)',
    );
    skip('there is no bd on PATH');
  },
);

describe.each(binaries)('compared with bd $version', { timeout: 300_000 }, (binary: BdBinary) => {
  let theirs: Stage;
  let ours: Stage;
  const differences = new Map<string, readonly string[]>();
  const commits = { bd: 0, ours: 0 };
  beforeAll(async () => {
    [theirs, ours] = [await stageOf(binary), await stageOf(binary)];
  }, 300_000);
  afterAll(async () => {
    const migrations = await ours.scene.tracker.sql(
      'SELECT MAX(version) AS m FROM schema_migrations',
    );
    results.push({ binary, migration: Number(migrations[0]?.['m']), differences, commits });
    for (const stage of [theirs, ours]) {
      await stage.scene.close();
      await stage.workspace.remove();
    }
  }, 60_000);

  it.each(CASES)('a tick writes what bd writes: $name', async (entry) => {
    if (entry.needsLeases === true && !ours.scene.tracker.hasLeases) return;
    const ourSteps = await entry.ours(ours, ours.beads.get(entry.role) ?? '');
    const notesOf = (name: string) => ourSteps.find((step) => step.name === name)?.notes ?? [];
    const bdSteps = await entry.bd(theirs, theirs.beads.get(entry.role) ?? '', notesOf);

    for (const [index, ourStep] of ourSteps.entries()) {
      const bdStep = bdSteps[index];
      if (bdStep === undefined) throw new Error(`bd has no step ${ourStep.name}`);
      const found = compare(traceIn(theirs, bdStep), traceIn(ours, ourStep));
      const unexpected = [...found].filter(
        ([where, difference]) => deliberateFor(ourStep.name, where, difference.ours) === undefined,
      );
      expect(Object.fromEntries(unexpected), ourStep.name).toEqual({});
      const places = new Set([...(differences.get(ourStep.name) ?? []), ...found.keys()]);
      differences.set(ourStep.name, [...places]);
      if (entry.name !== 'dispatched') continue;
      commits.bd += commitsIn(bdStep);
      commits.ours += commitsIn(ourStep);
    }
  });

  it.each(['export', 'ready --json', 'doctor --json', 'stale --json', 'blocked --json'])(
    'bd %s gives the same output for its database and for ours',
    async (command) => {
      const [ofTheirs, ofOurs] = await Promise.all([said(theirs, command), said(ours, command)]);
      expect(ofOurs).toEqual(ofTheirs);
      differences.set(`bd ${command.split(' ')[0]}`, []);
    },
  );

  it('a dispatch tick takes the beads that bd calls ready', async () => {
    const names = await prepareWaiting(ours);
    const { byBd, byUs } = await readyByBothOf(ours, names);
    expect(byUs).toEqual(byBd);
    expect(byUs).toContain('plain');
    differences.set('which beads are ready', []);
  });

  it('bd show prints the same for each bead in both databases', async () => {
    for (const role of theirs.beads.keys()) {
      const of = async (stage: Stage) => await said(stage, `show ${stage.beads.get(role)} --json`);
      expect(await of(ours), role).toEqual(await of(theirs));
    }
    differences.set('bd show', []);
  });

  it('bd history shows the same states of each bead in both databases', async () => {
    for (const role of theirs.beads.keys()) {
      const [ofTheirs, ofOurs] = await Promise.all([statesOf(theirs, role), statesOf(ours, role)]);
      // bd makes a commit between the last failure and the block.
      const between = role === 'given-up' ? [expect.stringContaining('in_progress: x')] : [];
      const missing = ofTheirs.filter((state) => !ofOurs.includes(state));
      expect(missing, role).toEqual(between);
      expect(
        ofOurs.filter((state) => !ofTheirs.includes(state)),
        role,
      ).toEqual([]);
    }
    differences.set('bd history', []);
  });
});

afterAll(async () => {
  if (results.length === 0) return;
  const table = conformanceTable(results);
  console.log(`\n${table}`);
  const file = process.env['CONFORMANCE_FILE'];
  if (file !== undefined && file !== '') {
    const text = await format(page(table), { parser: 'markdown', printWidth: 100 });
    await writeFile(resolve(import.meta.dirname, '..', file), text);
    console.log(`conformance: written to ${file}`);
  }
});

async function stageOf(binary: BdBinary): Promise<Stage> {
  const database = `bd_${randomBytes(5).toString('hex')}`;
  const workspace = await BdWorkspace.init(binary, sharedDoltPort(), database, {
    // Where bd has a journal of events, it is on, so that it is compared, too.
    BD_EVENTS_JOURNAL: '1',
  });
  return await prepare(workspace, await Scene.around(database));
}

/** Status and notes of a bead in all its versions. */
async function statesOf({ workspace, beads, ...stage }: Stage, role: Role): Promise<string[]> {
  const output = await workspace.said('history', beads.get(role) ?? '', '--json');
  const names = namesIn({ workspace, beads, ...stage });
  const versions = history.parse(JSON.parse(output));
  const states = versions.map(({ Issue: { status, notes } }) =>
    plain(`${status}: ${notes}`, names),
  );
  return [...new Set(states)].toSorted();
}

const history = z.array(
  z.object({ Issue: z.object({ status: z.string(), notes: z.string().default('') }) }),
);

const namesIn = ({ beads, scene }: Stage): Names =>
  new Map([
    ...[...beads].map(([role, id]): [string, string] => [id, `<${role}>`]),
    [scene.settings.database, '<database>'],
  ]);

const traceIn = (stage: Stage, { before, after }: Step) => traceOf(before, after, namesIn(stage));

const commitsIn = ({ before, after }: Step) => {
  const known = new Set(before.commits.map(({ hash }) => hash));
  return after.commits.filter(({ hash }) => !known.has(hash)).length;
};

/** What a command of bd prints, without what differs from run to run, line by line and sorted. */
async function said({ workspace, ...stage }: Stage, command: string): Promise<string[]> {
  const output = await workspace.said(...command.split(' '));
  const names = new Map([...namesIn({ workspace, ...stage }), [workspace.folder, '<folder>']]);
  // An export is one JSON a line, ordered by ids.
  const documents = command === 'export' ? output.trim().split('\n') : [output];
  return documents.map((json) => plainJson(json, names).join('\n')).toSorted();
}

const page = (table: string) => `# What we write, compared with bd

Generated by \`make conformance FILE=docs/conformance.md\` (test/conformance.test.ts): the same scenario is played by bd and by our
ticks on two databases that bd made, and every cell of every table, the Dolt commits and what bd says of
both are compared. A difference that is not listed below fails the test. A bd that was built from a branch
calls itself by the release before it; the number of its last migration tells them apart.

${table}`;
