import { DatabaseSchemaError } from '../../runtime/errors.ts';
import { KNOWN, NEEDED, NEEDED_IF_THERE, refusalOf, USES, type Column } from './columns.ts';
import type { Row } from '../sql/connection.ts';

/**
 * What the database offers, found by looking at it and not at a version: bd's schema can change
 * under a running function, since any bd command of a newer version migrates it. statements.ts
 * makes of it the statements that fit.
 */
export interface Schema {
  /** bd's last migration. Nothing is decided by it; it is for the log. */
  migration: number;
  /**
   * Changes when bd migrates: hashes of what it has recorded, for what is in history and what is
   * not.
   */
  migrations: string;
  /** bd records those for tables that are out of history on their own. */
  hasLocalMigrations: boolean;
  /** The column of `dependencies` that holds a target which is a bead of the same database. */
  dependsOn: 'depends_on_issue_id' | 'depends_on_id';
  /** bd keeps `issues.is_blocked` itself; without it the view `ready_issues` tells. */
  hasIsBlocked: boolean;
  /** Cells that bd fills with a fresh random number whenever it writes a bead. */
  versionCells: readonly VersionCell[];
  /** `issues.claim_fence` counts claims. */
  hasClaimFence: boolean;
  /**
   * Live claims have a row in `leases`, whose heartbeat is progress that `updated_at` does not
   * show.
   */
  hasLeases: boolean;
  /** Where it has rows, `bd_events_journal` gets one for every write. */
  hasJournal: boolean;
  /** `issue_versions`, with which we cannot deal once it has rows. */
  hasVersions: boolean;
  /** `events` belongs to Dolt's history; newer ones keep it out by `dolt_ignore`. */
  hasEventsInHistory: boolean;
  /** Most bytes `issues.notes`, `events.old_value` and `events.new_value` take. */
  textBytes: number;
  /** The journal says who made a change. */
  hasJournalActor: boolean;
  /** Columns that are not known and stop nothing: they keep the value that they have without us. */
  unknownColumns: readonly string[];
  /** Of `issues`; a row with another one has been migrated since. */
  issueColumns: ReadonlySet<string>;
}

export type VersionCell = (typeof VERSION_CELLS)[number];
const VERSION_CELLS = ['row_lock', 'revision'] as const;

/** In the order of `migrationsSql`. */
const MIGRATIONS = ['schema_migrations', 'ignored_schema_migrations'] as const;

/** The most a TEXT column of MySQL and Dolt holds; LONGTEXT is bounded by memory only. */
const TEXT_BYTES = 65_535;

/**
 * @param rows of the probe.
 * @param where how to name the database in an error.
 */
export function schemaOf(rows: readonly Row[], where: string): Schema {
  const types = new Map<string, string>();
  for (const { kind, t, c, d } of rows) {
    if (kind === 'column') types.set(`${String(t)}.${String(c)}`, String(d).toLowerCase());
  }
  const has = (table: string, column = 'issue_id') => types.has(`${table}.${column}`);
  const dependsOn = (['depends_on_issue_id', 'depends_on_id'] as const).find((column) =>
    has('dependencies', column),
  );
  const hasIsBlocked = has('issues', 'is_blocked');
  const tables = new Set([...types.keys()].map((name) => name.split('.')[0]));
  const missing = Object.entries({ ...NEEDED_IF_THERE, ...NEEDED })
    .filter(([table]) => table in NEEDED || tables.has(table))
    .flatMap(([table, columns]) => [...columns].map((column) => `${table}.${column}`))
    .filter((name) => !types.has(name));
  if (dependsOn === undefined) missing.push('dependencies.depends_on_issue_id');
  const hashes = new Map(
    rows.filter(({ kind }) => kind === 'table').map(({ t, c }) => [String(t), String(c)]),
  );
  if (!hasIsBlocked && !hashes.has('ready_issues')) missing.push('the view ready_issues');
  if (missing.length > 0 || dependsOn === undefined) throw notBd(where, missing);
  const { refused, tolerated } = unknownIn(rows);
  if (refused.length > 0) throw tooNew(where, refused, migrationOf(rows));

  const long =
    types.get('issues.notes') === 'longtext' && types.get('events.new_value') === 'longtext';
  return {
    migration: migrationOf(rows),
    migrations: MIGRATIONS.flatMap((table) => hashes.get(table) ?? []).join('.'),
    hasLocalMigrations: hashes.has('ignored_schema_migrations'),
    dependsOn,
    hasIsBlocked,
    versionCells: VERSION_CELLS.filter((cell) => has('issues', cell)),
    hasClaimFence: has('issues', 'claim_fence'),
    hasLeases: has('leases'),
    hasJournal: has('bd_events_journal') && has('bd_events_seq', 'next_seq'),
    hasVersions: has('issue_versions'),
    hasEventsInHistory: !rows.some(({ kind, t }) => kind === 'ignored' && t === 'events'),
    textBytes: long ? Number.POSITIVE_INFINITY : TEXT_BYTES,
    hasJournalActor: has('bd_events_journal', 'actor'),
    issueColumns: new Set(columnsOf(types, 'issues')),
    unknownColumns: tolerated,
  };
}

/** What the schema offers beyond the oldest, in words for the log. */
export function describeSchema(schema: Schema): string[] {
  return [
    `dependencies.${schema.dependsOn}`,
    schema.hasIsBlocked ? 'issues.is_blocked' : 'view ready_issues',
    ...schema.versionCells.map((cell) => `issues.${cell}`),
    ...(schema.hasClaimFence ? ['issues.claim_fence'] : []),
    ...(schema.hasLeases ? ['leases'] : []),
    ...(schema.hasJournal ? ['bd_events_journal'] : []),
    schema.hasEventsInHistory ? 'events in history' : 'events out of history',
  ];
}

/** @throws {DatabaseSchemaError} for a database in which bd keeps versions of its own. */
export function refuseVersions(where: string): never {
  throw new DatabaseSchemaError(
    `${where} has bd's versioned history switched on (issue_versions has rows), which these functions do not write yet. Nothing was changed. Use bd without versioned-history.enabled, or do without these functions.`,
  );
}

/** @returns the unknown columns that stop us, each with the rule, and those that do not. */
function unknownIn(rows: readonly Row[]): { refused: string[]; tolerated: string[] } {
  const refused: string[] = [];
  const tolerated: string[] = [];
  for (const { kind, t, c, n, v } of rows) {
    const [table, name] = [String(t), String(c)];
    const use = USES[table];
    if (kind !== 'column' || use === undefined || KNOWN[table]?.has(name) === true) continue;
    const column: Column = { name, isNullable: n === 'YES', hasDefault: v === 'YES' };
    const rule = refusalOf(use, column);
    if (rule === undefined) tolerated.push(`${table}.${name}`);
    else refused.push(`${table}.${name} (${rule})`);
  }
  return { refused, tolerated };
}

function columnsOf(types: ReadonlyMap<string, string>, table: string): string[] {
  const prefix = `${table}.`;
  return [...types.keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}

function migrationOf(rows: readonly Row[]): number {
  return Number(rows.find(({ kind }) => kind === 'migration')?.['t'] ?? 0);
}

/** So many names tell enough; an empty database lacks them all. */
const NAMED = 5;

export function notBd(
  where: string,
  missing: readonly string[],
  cause?: unknown,
): DatabaseSchemaError {
  return new DatabaseSchemaError(
    `${where} is not a bd database that can be used: ${missing.slice(0, NAMED).join(', ')} not found. ` +
      'Check the database name, and that bd init has run there.',
    { cause },
  );
}

function tooNew(where: string, unknown: readonly string[], migration: number): DatabaseSchemaError {
  return new DatabaseSchemaError(
    `${where} (migration ${migration}) has columns that this version does not know: ${unknown.slice(0, NAMED).join(', ')}. ` +
      'bd may have rules for them. Nothing was changed. Use a newer version of these functions.',
  );
}
