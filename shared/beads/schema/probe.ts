import { setTimeout as pause } from 'node:timers/promises';

import { DatabaseSchemaError } from '../../runtime/errors.ts';
import { migrationLock } from './migrations.ts';
import { notBd, schemaOf, type Schema } from './schema.ts';
import type { Row, Connection } from '../sql/connection.ts';

/**
 * One query for all: columns, the view, the last migration, and what Dolt keeps out of history. The
 * columns of a view are told to root only (Dolt 1.88.1).
 */
const PROBE_SQL = `
  SELECT 'column' AS kind, table_name AS t, column_name AS c, data_type AS d,
         is_nullable AS n, IF(column_default IS NULL, 'NO', 'YES') AS v
    FROM information_schema.columns
   WHERE table_schema = DATABASE()
     AND table_name IN ('issues', 'events', 'dependencies', 'labels', 'local_metadata', 'leases',
                        'bd_events_journal', 'bd_events_seq', 'issue_versions')
  UNION ALL SELECT 'table', table_name, IF(table_type = 'VIEW', '', dolt_hashof_table(table_name)), '', '', ''
    FROM information_schema.tables
   WHERE table_schema = DATABASE()
     AND table_name IN ('ready_issues', 'schema_migrations', 'ignored_schema_migrations')
  UNION ALL SELECT 'migration', MAX(version), '', '', '', '' FROM schema_migrations
  UNION ALL SELECT 'lock', IS_FREE_LOCK(?), '', '', '', ''
  UNION ALL SELECT 'ignored', pattern, '', '', '', '' FROM dolt_ignore WHERE ignored = 1`;

/** As long as for a server that restarts; a migration of a small database takes seconds. */
const MIGRATION_MS = 20_000;
const MIGRATION_STEP_MS = 250;

/**
 * Asks the database what it offers, in one query. While bd migrates it, that is half of one schema
 * and half of another (`is_blocked` is there before it is filled), so that it is waited for.
 * @throws {DatabaseSchemaError} names what is missing, or what is too new to be written safely.
 */
export async function readSchema(connection: Connection): Promise<Schema> {
  const giveUpAt = performance.now() + MIGRATION_MS;
  for (;;) {
    const rows = await probe(connection);
    if (rows.some(({ kind, t }) => kind === 'lock' && String(t) === '1')) {
      return schemaOf(rows, connection.describe());
    }
    if (performance.now() > giveUpAt) {
      throw new DatabaseSchemaError(
        `${connection.describe()} is being migrated by bd, for ${MIGRATION_MS / 1000} s by now. Nothing was changed; the next tick looks again.`,
      );
    }
    await pause(MIGRATION_STEP_MS);
  }
}

async function probe(connection: Connection): Promise<Row[]> {
  try {
    return await connection.query(PROBE_SQL, [migrationLock(connection.database)]);
  } catch (error) {
    if (!(error instanceof DatabaseSchemaError)) throw error;
    const table = /table not found: (\w+)/.exec(error.message)?.[1];
    throw table === undefined ? error : notBd(connection.describe(), [table], error);
  }
}
