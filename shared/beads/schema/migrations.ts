import { SchemaChangedError } from '../../runtime/errors.ts';
import type { Schema } from './schema.ts';

/** How to tell that bd migrates the database, or has done so. */

/** MySQL's bound for the name of a lock, in bytes. */
const LOCK_NAME_BYTES = 64;

/**
 * The server's lock that bd holds while it migrates (bd's internal/storage/schema/lock.go, since
 * 1.0.5).
 */
export function migrationLock(database: string): string {
  const name = `bd_schema_init:${database}`;
  if (Buffer.byteLength(name) <= LOCK_NAME_BYTES) return name;
  return `bd_schema_init:${fnv1a64(database).toString(16).padStart(16, '0')}`;
}

function fnv1a64(text: string): bigint {
  const [basis, prime] = [0xcbf2_9ce4_8422_2325n, 0x100_0000_01b3n];
  return Buffer.from(text).reduce(
    (hash, byte) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime),
    basis,
  );
}

const hashOf = (table: string) => `dolt_hashof_table('${table}')`;

/** SQL for {@link Schema.migrations}: a table's hash costs less than to count its rows. */
export function migrationsSql({ hasLocalMigrations }: Schema): string {
  return hasLocalMigrations
    ? `CONCAT(${hashOf('schema_migrations')}, '.', ${hashOf('ignored_schema_migrations')})`
    : hashOf('schema_migrations');
}

/**
 * @param migrations {@link migrationsSql}, as it is now.
 * @throws {SchemaChangedError} it is not what it was when the schema was read.
 */
export function checkMigrations(migrations: unknown, schema: Schema, where: string): void {
  if (migrations === schema.migrations) return;
  throw new SchemaChangedError(`${where} has been migrated since its schema was read`);
}
