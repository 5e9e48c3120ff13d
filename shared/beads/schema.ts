import { DatabaseSchemaError } from '../errors.ts';
import type { Session } from './session.ts';

/**
 * What the database offers, found by looking at its columns and not at a version: bd's schema can
 * change under a running function, since any bd command of a newer version migrates it.
 */
export interface Schema {
  /** bd keeps `issues.is_blocked` itself (bd 1.0.5); without it the view `ready_issues` tells. */
  hasIsBlocked: boolean;
  /** The column of `dependencies` that holds a target which is a bead of the same database. */
  dependsOn: 'depends_on_issue_id' | 'depends_on_id';
  /** Most bytes `issues.notes`, `events.old_value` and `events.new_value` take. */
  textBytes: number;
}

/** The most a TEXT column of MySQL and Dolt holds; LONGTEXT is bounded by memory only. */
const TEXT_BYTES = 65_535;

/** What the statements of this folder name, table by table. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  issues: [
    'id',
    'title',
    'status',
    'priority',
    'issue_type',
    'assignee',
    'acceptance_criteria',
    'notes',
    'updated_at',
    'started_at',
    'defer_until',
    'pinned',
    'ephemeral',
    'is_template',
    'metadata',
  ],
  events: ['id', 'issue_id', 'event_type', 'actor', 'old_value', 'new_value', 'created_at'],
  dependencies: ['issue_id', 'type'],
  labels: ['issue_id', 'label'],
  local_metadata: ['key', 'value'],
};

const COLUMNS_SQL = `
  SELECT table_name AS t, column_name AS c, data_type AS d
    FROM information_schema.columns
   WHERE table_schema = DATABASE()
     AND table_name IN ('issues', 'events', 'dependencies', 'labels', 'leases',
                        'local_metadata', 'ready_issues')`;

/**
 * Asks the database for its columns, in one query.
 * @throws {DatabaseSchemaError} names what is missing, or what is too new to be written safely.
 */
export async function readSchema(session: Session): Promise<Schema> {
  const types = new Map<string, string>();
  for (const { t, c, d } of await session.query(COLUMNS_SQL)) {
    types.set(`${String(t)}.${String(c)}`, String(d).toLowerCase());
  }
  return schemaOf(types, session.describe());
}

/**
 * Came with the claim rules of bd after 1.0.5, together with the table `leases`. A transition looks
 * for it too, because any bd command may migrate the database under a running function.
 */
export const NEWER_COLUMN = 'row_lock';

export function tooNew(where: string): DatabaseSchemaError {
  return new DatabaseSchemaError(
    `${where} has the claim rules of a bd newer than 1.0.5 (row_lock, leases), which this version does not write yet. Nothing was changed.`,
  );
}

/**
 * @param types data type by `table.column`.
 * @param where how to name the database in an error.
 */
export function schemaOf(types: ReadonlyMap<string, string>, where: string): Schema {
  const missing = Object.entries(NEEDED).flatMap(([table, columns]) =>
    columns.map((column) => `${table}.${column}`).filter((name) => !types.has(name)),
  );
  const dependsOn = (['depends_on_issue_id', 'depends_on_id'] as const).find((column) =>
    types.has(`dependencies.${column}`),
  );
  const hasIsBlocked = types.has('issues.is_blocked');
  if (dependsOn === undefined) missing.push('dependencies.depends_on_issue_id');
  if (!hasIsBlocked && !types.has('ready_issues.id')) missing.push('the view ready_issues');
  if (missing.length > 0 || dependsOn === undefined) {
    throw new DatabaseSchemaError(
      `${where} is not a bd database: ${missing.slice(0, 5).join(', ')} not found. ` +
        'Check the database name, and that bd init has run there.',
    );
  }
  if (types.has(`issues.${NEWER_COLUMN}`) || types.has('leases.issue_id')) throw tooNew(where);
  const long =
    types.get('issues.notes') === 'longtext' && types.get('events.new_value') === 'longtext';
  return { hasIsBlocked, dependsOn, textBytes: long ? Number.POSITIVE_INFINITY : TEXT_BYTES };
}
