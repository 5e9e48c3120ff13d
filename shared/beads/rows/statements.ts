import { randomBytes } from 'node:crypto';

import { SchemaChangedError } from '../../runtime/errors.ts';
import { BEAD_COLUMNS, BEAD_EXPRESSIONS, EXPRESSION_NAMES, ROW_BYTES_SQL } from './bead.ts';
import { OLDEST_INTENT_SQL } from './intent.ts';
import { NEWEST_KEY_SQL, OLDEST_KEY_SQL, PARKED_SQL } from './outbox.ts';
import { checkMigrations, migrationsSql } from '../schema/migrations.ts';
import { refuseVersions, type Schema } from '../schema/schema.ts';
import type { Row, Statement } from '../sql/connection.ts';
import { MARKER_KEY } from './claim-marker.ts';

/**
 * Changes with every write to the database, in history or not, and with nothing else; as cheap as
 * asking for nothing, however many beads there are (Dolt 1.88.1). In a transaction it is the hash
 * of just the state that everything in it is read from.
 */
export const STATE_SQL = 'dolt_hashof_db()';

/** The statements on bd's tables that depend on what the schema offers. */
export interface Statements {
  /**
   * The server's time, the state of the database, the outbox, and whether bd has migrated it: one
   * row.
   */
  tick: string;
  /** All beads of a sentinel that are open or in progress. */
  beads: string;
  /** The same columns, of the beads that a condition names. */
  beadsWhere: (where: string) => string;
  /** Which of some beads are ready; `undefined` where their rows tell that. */
  ready: string | undefined;
  /** Which of some beads have a parent that is deferred. */
  childrenOfDeferred: string;
  /**
   * One bead with all its columns and its lease, and with all else that a write of it depends on,
   * as statements for one round trip, whose answers {@link oneRow} puts together: one query for all
   * costs twice as much.
   */
  readToWrite: (id: string) => readonly Statement[];
  /** The same for a bead that is larger than {@link MAX_ROW_BYTES}: without its texts. */
  readLarge: (id: string) => readonly Statement[];
  /** What of it tells whether a claim still holds, and can be written. */
  readBack: (id: string) => readonly Statement[];
  /** Writes what a transition changed; its values are {@link updateValues}. */
  update: string;
  /** Ends a claim's lease. */
  deleteLease: string;
  /** What belongs to the Dolt commit. */
  add: string;
}

/** Marks a row that was read without its texts. */
export const IS_LARGE = 'is_large';

/** Names in the answers to {@link Statements.readToWrite} that are not columns of `issues`. */
const READ_ALIASES: ReadonlySet<string> = new Set([
  ...EXPRESSION_NAMES,
  IS_LARGE,
  'server_time',
  'newest_key',
  'migrations',
  'lease_granted_node',
  'is_journaled',
  'has_versions',
]);

/**
 * Whether bd's events journal is on stands in the configuration of each workspace and not in the
 * database. But where it has been on, it has counted, also when its rows were pruned since.
 */
const IS_JOURNALED_SQL = `
  (EXISTS (SELECT 1 FROM bd_events_seq WHERE next_seq > 0)
   OR EXISTS (SELECT 1 FROM bd_events_journal))`;

/**
 * A larger bead is not dispatched, and is read without its texts when something must be written on
 * it. A process with 256 MiB has room for one of this size, which is held some ten times over as
 * text, JSON and SQL.
 */
export const MAX_ROW_BYTES = 1_048_576;

/** The texts that a large bead is read without. */
const TEXTS: ReadonlySet<string> = new Set([
  'description',
  'design',
  'acceptance_criteria',
  'notes',
  'close_reason',
  'metadata',
]);

/**
 * Puts the answers to {@link Statements.readToWrite} together; `undefined` when there is no such
 * bead.
 */
export function oneRow(answers: readonly (readonly Row[])[]): Row | undefined {
  if (answers[0]?.[0] === undefined) return undefined;
  return Object.assign({}, ...answers.map(([row]) => row));
}

/**
 * @param row of {@link oneRow}.
 * @throws {DatabaseSchemaError} bd has changed the schema since it was read, or writes versions
 *   now.
 */
export function checkRow(row: Row, schema: Schema, where: string): void {
  checkMigrations(row['migrations'], schema, where);
  const isKnown = (name: string) => schema.issueColumns.has(name) || READ_ALIASES.has(name);
  const added = Object.keys(row).find((name) => !isKnown(name));
  if (added !== undefined) {
    throw new SchemaChangedError(`${where} has a new column issues.${added}`);
  }
  if (Number(row['has_versions']) === 1) refuseVersions(where);
}

export function statementsFor(schema: Schema): Statements {
  const { dependsOn, hasIsBlocked, hasLeases, hasJournal, hasVersions } = schema;
  // Live claims are few: to read all leases once is cheaper than to look one up for each bead.
  const withLease = hasLeases
    ? `LEFT JOIN (SELECT issue_id, lease_expires_at, heartbeat_at, granted_node FROM leases) lease
         ON lease.issue_id = issues.id`
    : '';
  const lease = hasLeases
    ? 'lease_expires_at, heartbeat_at, granted_node AS lease_granted_node'
    : 'NULL AS lease_expires_at, NULL AS heartbeat_at';
  const beside = `
    ${BEAD_EXPRESSIONS}, NULL AS lease_expires_at, NULL AS heartbeat_at,
    UTC_TIMESTAMP(6) AS server_time, ${migrationsSql(schema)} AS migrations`;
  const read = `
    SELECT issues.*, ${beside}
      FROM issues WHERE issues.id = ? AND ${ROW_BYTES_SQL} <= ${MAX_ROW_BYTES}`;
  const withoutTexts = [...schema.issueColumns]
    .map((column) => (TEXTS.has(column) ? `NULL AS ${column}` : `issues.${column}`))
    .join(', ');
  const readLarge = `
    SELECT ${withoutTexts}, 1 AS ${IS_LARGE}, ${beside} FROM issues WHERE issues.id = ?`;
  const facts = `
    SELECT ${NEWEST_KEY_SQL} AS newest_key,
           ${hasJournal ? IS_JOURNALED_SQL : '0'} AS is_journaled,
           ${hasVersions ? 'EXISTS (SELECT 1 FROM issue_versions)' : '0'} AS has_versions`;
  const besideRow = (id: string): Statement[] => [
    [facts],
    ...(hasLeases ? [[`SELECT ${lease} FROM leases WHERE issue_id = ?`, [id]] as const] : []),
  ];
  const bead = `${BEAD_COLUMNS.map((column) => `issues.${column}`).join(', ')}, ${BEAD_EXPRESSIONS}, ${lease}`;
  const beadsWhere = (where: string) => `
      SELECT ${bead}, ${hasIsBlocked ? 'issues.is_blocked' : 'NULL'} AS is_blocked
        FROM issues ${withLease}
       WHERE ${where}
       ORDER BY priority, updated_at, id`;
  return {
    tick: `
      SELECT UTC_TIMESTAMP(6) AS server_time, ${STATE_SQL} AS state, ${OLDEST_KEY_SQL} AS oldest_unsent,
             ${PARKED_SQL} AS parked, ${OLDEST_INTENT_SQL} AS oldest_intent,
             ${migrationsSql(schema)} AS migrations`,
    beads: beadsWhere("assignee = ? AND status IN ('open', 'in_progress')"),
    beadsWhere,
    ready: hasIsBlocked ? undefined : 'SELECT id FROM ready_issues WHERE id IN (?)',
    childrenOfDeferred: `
      SELECT d.issue_id AS id
        FROM dependencies d JOIN issues parent ON parent.id = d.${dependsOn}
       WHERE d.type = 'parent-child' AND d.issue_id IN (?) AND parent.defer_until > UTC_TIMESTAMP()`,
    readBack: (id) => (hasVersions ? [[read, [id]], [facts]] : [[read, [id]]]),
    readToWrite: (id) => [[read, [id]], ...besideRow(id)],
    readLarge: (id) => [[readLarge, [id]], ...besideRow(id)],
    update: updateSql(schema),
    deleteLease: 'DELETE FROM leases WHERE issue_id = ?',
    add: schema.hasEventsInHistory
      ? "CALL DOLT_ADD('issues', 'events')"
      : "CALL DOLT_ADD('issues')",
  };
}

/** The cells of a bead's own row that a transition changes, as they are afterwards. */
export interface ChangedCells {
  status: string;
  /** What is appended to the notes. */
  appendix: string;
  updated_at: string;
  started_at: string | null;
  pinned: string | number | null;
}

/** What a transition writes into a bead's own row. */
export interface BeadUpdate extends ChangedCells {
  /** The cell with the claim marker; `undefined` leaves it as it is. */
  marker: string | undefined;
  /** Counts in `claim_fence`, as every claim of bd does. */
  isClaim: boolean;
}

function updateSql({ versionCells, hasClaimFence }: Schema): string {
  const newer = [
    ...versionCells.map((cell) => `, ${cell} = ?`),
    ...(hasClaimFence ? [', claim_fence = claim_fence + ?'] : []),
  ];
  return `
    UPDATE issues
       SET status = ?, notes = CONCAT(notes, ?), updated_at = ?, started_at = ?, pinned = ?,
           metadata = IF(? = 1, JSON_SET(IF(metadata IS NULL OR JSON_TYPE(metadata) = 'NULL', JSON_OBJECT(), metadata),
                               '$.${MARKER_KEY}', ?), metadata)${newer.join('')}
     WHERE id = ?`;
}

/**
 * Around an update that leaves the bead's id as it is, and so cannot violate a foreign key: Dolt
 * (1.88.1) looks through every table that refers to `issues` all the same, for 2.4 of 3 ms.
 */
export const withoutForeignKeys = (update: Statement): readonly Statement[] => [
  ['SET foreign_key_checks = 0'],
  update,
  ['SET foreign_key_checks = 1'],
];

/** The values of {@link Statements.update}, in its order. */
export function updateValues({ versionCells, hasClaimFence }: Schema, id: string, to: BeadUpdate) {
  const values = [to.status, to.appendix, to.updated_at, to.started_at, to.pinned];
  const marker = [to.marker === undefined ? 0 : 1, to.marker ?? ''];
  const fence = hasClaimFence ? [to.isClaim ? 1 : 0] : [];
  return [...values, ...marker, ...versionCells.map(() => freshVersion()), ...fence, id];
}

/** A random BIGINT other than 0, as text: a JavaScript number would round it. */
function freshVersion(): string {
  const value = randomBytes(8).readBigInt64LE();
  return String(value === 0n ? 1n : value);
}
