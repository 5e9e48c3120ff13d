import { afterEach, describe, expect, it } from 'vitest';

import { BeadsDatabase } from '../shared/beads/beads.ts';
import { SchemaCache } from '../shared/beads/schema/schema-cache.ts';
import { migrationLock } from '../shared/beads/schema/migrations.ts';
import { readSchema } from '../shared/beads/schema/probe.ts';
import type { Schema } from '../shared/beads/schema/schema.ts';
import { Connection } from '../shared/beads/sql/connection.ts';
import { claim } from '../shared/beads/write/transitions.ts';
import { GENERATIONS, type Generation } from './world/bd-schema.ts';
import { DatabaseProxy } from './world/database-proxy.ts';
import { Scene } from './world/scene.ts';

let scene: Scene;
afterEach(async () => {
  await scene.close();
});

/** What the schema of a scene offers, and how many queries it took to know. */
async function offered(): Promise<Schema> {
  const session = await Connection.open(scene.settings);
  try {
    return await readSchema(session);
  } finally {
    session.close();
  }
}

describe("bd's schema", () => {
  const expected: Record<Generation, Partial<Schema>> = {
    32: { dependsOn: 'depends_on_id', hasIsBlocked: false, versionCells: [], textBytes: 65_535 },
    49: { dependsOn: 'depends_on_issue_id', hasIsBlocked: true, versionCells: [] },
    53: { hasLeases: false, hasJournal: false, hasEventsInHistory: true },
    65: { versionCells: ['row_lock'], hasLeases: true, hasJournal: true, hasVersions: false },
    71: { hasLeases: true, hasVersions: true, hasEventsInHistory: false, hasClaimFence: false },
  };

  it.each(GENERATIONS)(
    'a schema of migration %i is recognised by what it offers',
    async (generation) => {
      scene = await Scene.open(generation);
      expect(await offered()).toMatchObject({ migration: generation, ...expected[generation] });
    },
  );

  it('a process reads the schema once, in one query', async () => {
    scene = await Scene.open();
    const proxy = await DatabaseProxy.start(scene.settings.port);
    const session = await Connection.open({ ...scene.settings, port: proxy.port });
    try {
      const schema = new SchemaCache(() => {});
      await schema.use(session, async () => {});
      await schema.use(session, async () => {});
      expect(proxy.statements.slice(1)).toEqual([
        expect.stringContaining('information_schema.columns'),
      ]);
    } finally {
      session.close();
      await proxy.stop();
    }
  });
});

describe('a database that cannot be written safely is refused without a write', () => {
  it.each([
    ['DROP TABLE local_metadata', 'is not a bd database that can be used: local_metadata.key'],
    ['DROP TABLE schema_migrations', 'is not a bd database that can be used: schema_migrations'],
    ['ALTER TABLE issues DROP COLUMN is_template', 'issues.is_template not found'],
    ['ALTER TABLE leases DROP COLUMN granted_node', 'leases.granted_node not found'],
    [
      'ALTER TABLE issues ADD COLUMN quorum int NOT NULL DEFAULT 0',
      '(migration 65) has columns that this version does not know: issues.quorum (never NULL in rows that are updated)',
    ],
    [
      'ALTER TABLE events ADD COLUMN signature varchar(8) NOT NULL',
      'does not know: events.signature (needs a value in rows that are added)',
    ],
  ])('a database is refused without a write after %s', async (change, words) => {
    scene = await Scene.open();
    await scene.tracker.create('code-a', { assignee: 'agent' });
    await scene.tracker.sql(change);
    await commit();
    const before = await hashes();

    await expect(scene.dispatch()).rejects.toMatchObject({ code: 'DATABASE_SCHEMA' });
    await expect(scene.reap()).rejects.toThrow(words);

    expect(await hashes()).toEqual(before);
    expect(scene.board.posts).toEqual([]);
  });

  it('a database is refused without a write once bd keeps versions of its own in it', async () => {
    scene = await Scene.open(71);
    await scene.tracker.create('code-a', { assignee: 'agent' });
    await scene.tracker.sql(
      "INSERT INTO issue_versions (issue_id, revision, epoch, change_at, attribution_status) VALUES ('code-a', 1, 1, NOW(), 'claimed')",
    );
    const before = await hashes();

    await expect(scene.dispatch()).rejects.toThrow('versioned history switched on');

    expect(await hashes()).toEqual(before);
    expect(scene.board.posts).toEqual([]);
  });

  it('an empty database is refused with a hint to check its name', async () => {
    scene = await Scene.open();
    const before = (await scene.tracker.sql('SHOW TABLES')).map((row) =>
      String(Object.values(row)[0]),
    );
    await scene.tracker.sql('DROP VIEW ready_issues');
    await scene.tracker.sql('SET foreign_key_checks = 0');
    for (const table of before.filter((name) => name !== 'ready_issues')) {
      await scene.tracker.sql(`DROP TABLE ${table}`);
    }
    await commit();
    await expect(scene.dispatch()).rejects.toThrow(
      'Check the database name, and that bd init has run there.',
    );
  });

  async function commit() {
    await scene.tracker.sql("CALL DOLT_COMMIT('-A', '--skip-empty', '-m', 'a change of schema')");
  }

  /** The whole database, ignored tables included. */
  async function hashes() {
    return await scene.tracker.sql('SELECT dolt_hashof_db() AS db, HASHOF("HEAD") AS head');
  }
});

describe('a column that is not known', () => {
  it.each([
    ['ALTER TABLE issues ADD COLUMN quorum int', 'issues.quorum'],
    ["ALTER TABLE events ADD COLUMN signature varchar(8) NOT NULL DEFAULT ''", 'events.signature'],
    ['ALTER TABLE leases ADD COLUMN epoch int NOT NULL DEFAULT 0', 'leases.epoch'],
  ])(
    'an unknown but harmless column is reported, and beads are dispatched: %s',
    async (change, name) => {
      scene = await Scene.open();
      await scene.tracker.create('code-a', { assignee: 'agent' });
      await scene.tracker.sql(change);
      await scene.tracker.sql("CALL DOLT_COMMIT('-A', '--allow-empty', '-m', 'bd migrates')");
      expect((await offered()).unknownColumns).toEqual([name]);
      expect(await scene.dispatch()).toMatchObject({ dispatched: 1, errors: 0 });
    },
  );
});

describe('a database that is migrated', () => {
  /** What bd does between two of its migrations, as far as our statements can tell. */
  const MIGRATIONS = {
    'from 32 to 49': [
      'DROP VIEW ready_issues',
      'ALTER TABLE dependencies RENAME COLUMN depends_on_id TO depends_on_issue_id',
      'ALTER TABLE issues ADD COLUMN is_blocked tinyint(1) NOT NULL DEFAULT 0',
      "CREATE VIEW ready_issues AS SELECT * FROM issues WHERE status = 'open'",
      'INSERT INTO schema_migrations VALUES (49)',
    ],
    'from 49 to 65': [
      'ALTER TABLE issues ADD COLUMN row_lock bigint NOT NULL DEFAULT 0',
      'CREATE TABLE leases (issue_id varchar(255) PRIMARY KEY, holder varchar(255), granted_at datetime, lease_expires_at datetime, heartbeat_at datetime, granted_node varchar(255))',
      'INSERT INTO schema_migrations VALUES (65)',
    ],
  } as const;
  const entries = Object.entries(MIGRATIONS);

  async function migrate(statements: readonly string[]): Promise<void> {
    for (const statement of statements) await scene.tracker.sql(statement);
    await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'schema: apply migrations')");
    await scene.tracker.readColumns();
  }

  it.each(entries)(
    'a migration %s between two ticks takes effect in the next tick',
    async (name, statements) => {
      scene = await Scene.open(name.startsWith('from 32') ? 32 : 49);
      scene.board.capacity = 1;
      for (const id of ['code-a', 'code-b']) await scene.tracker.create(id, { assignee: 'agent' });
      await scene.dispatch();
      await scene.tracker.age('code-a', 45);
      await scene.tracker.create('code-c', { assignee: 'agent', priority: 0 });
      await migrate(statements);
      await scene.tracker.sql("UPDATE issues SET is_blocked = 1 WHERE id = 'code-c'");
      await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'blocked')");
      scene.board.capacity = 3;

      expect(await scene.dispatch()).toMatchObject({ dispatched: 1, skipped: 1, errors: 0 });
      expect((await scene.tracker.show('code-c')).status).toBe('open');
      expect(await scene.reap()).toMatchObject({ blocked: 1, errors: 0 });

      if (!name.endsWith('65')) return;
      const renewed = await scene.tracker.sql(
        'SELECT id FROM issues WHERE row_lock <> 0 ORDER BY id',
      );
      expect(renewed.map(({ id }) => String(id))).toEqual(['code-a', 'code-b']);
    },
  );

  it.each(entries)(
    'a job is noted when a migration %s runs while BeadBoard starts it',
    async (name, statements) => {
      scene = await Scene.open(name.startsWith('from 32') ? 32 : 49);
      await scene.tracker.create('code-a', { assignee: 'agent' });
      scene.board.onPost = async () => {
        await migrate(statements);
        return undefined;
      };

      expect(await scene.dispatch()).toMatchObject({ dispatched: 1, errors: 0 });

      expect((await scene.tracker.show('code-a')).notes).toMatch(/^dispatched: job=/m);
    },
  );

  it('a migration of ignored tables only is noticed, and a lease that came with it is respected', async () => {
    scene = await Scene.open(53);
    await scene.tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    await scene.tracker.age('code-a', 45);
    await migrate([
      'CREATE TABLE leases (issue_id varchar(255) PRIMARY KEY, holder varchar(255), granted_at datetime, lease_expires_at datetime, heartbeat_at datetime, granted_node varchar(255))',
      'INSERT INTO ignored_schema_migrations VALUES (12)',
    ]);
    await scene.tracker.heartbeat('code-a');

    expect(await scene.reap()).toMatchObject({ blocked: 0, skipped: 1 });
  });

  it('a migration with unknown rules between the claim and the POST keeps the bead from being posted', async () => {
    scene = await Scene.open();
    await scene.tracker.create('code-a', { assignee: 'agent' });
    await scene.use(async (beads) => {
      const [candidate] = (await beads.readSnapshot()).open;
      if (candidate === undefined) throw new Error('no bead is open');
      const wanted = claim(candidate.bead, 1);
      await beads.transition(wanted);
      await migrate(['ALTER TABLE issues ADD COLUMN quorum int NOT NULL DEFAULT 0']);
      const held = { bead: candidate.bead, token: wanted.token, attempt: 1 };
      await expect(beads.confirmClaim(held)).rejects.toThrow('does not know: issues.quorum');
    });
    // Certainly not posted: once the column is known, or gone, the bead is given back.
    await scene.tracker.sql('ALTER TABLE issues DROP COLUMN quorum');
    await scene.tracker.sql("CALL DOLT_COMMIT('-am', 'bd reverts')");
    expect(await scene.reap()).toMatchObject({ released: 1 });
    expect((await scene.tracker.show('code-a')).status).toBe('open');
  });

  it('a tick waits for a migration that holds its lock, then notes the answer of BeadBoard', async () => {
    scene = await Scene.open(53);
    await scene.tracker.create('code-a', { assignee: 'agent' });
    const lock = migrationLock(scene.settings.database);
    const proxy = await DatabaseProxy.start(scene.settings.port);
    const database = new BeadsDatabase({ ...scene.settings, port: proxy.port }, 'agent');
    let migrated: Promise<void> | undefined;
    scene.board.onPost = async () => {
      await scene.tracker.sql('SELECT GET_LOCK(?, 0)', [lock]);
      await migrate([
        'ALTER TABLE issues ADD COLUMN lease_expires_at datetime',
        'INSERT INTO schema_migrations VALUES (54)',
      ]);
      let probes = 0;
      proxy.onStatement = (sql) => {
        if (sql.includes('IS_FREE_LOCK') && sql.includes('dolt_ignore')) probes += 1;
        if (probes === 2) {
          migrated ??= migrate([
            'ALTER TABLE issues DROP COLUMN lease_expires_at',
            'ALTER TABLE issues ADD COLUMN row_lock bigint NOT NULL DEFAULT 0',
            'INSERT INTO schema_migrations VALUES (55)',
          ]).then(async () => void (await scene.tracker.sql('SELECT RELEASE_LOCK(?)', [lock])));
        }
        return 'through';
      };
      return undefined;
    };

    expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1, errors: 0 });
    await migrated;
    await proxy.stop();

    expect((await scene.tracker.show('code-a')).notes).toMatch(/^dispatched: job=/m);
    const [row] = await scene.tracker.sql('SELECT row_lock <> 0 AS renewed FROM issues');
    expect(row).toEqual({ renewed: 1 });
  });

  it('a reaper that has nothing to write notices a migration', async () => {
    scene = await Scene.open();
    await scene.reap();
    await migrate([
      'ALTER TABLE issues ADD COLUMN quorum int NOT NULL DEFAULT 0',
      'INSERT INTO schema_migrations VALUES (67)',
    ]);
    await expect(scene.reap()).rejects.toThrow('does not know: issues.quorum');
  });
});
