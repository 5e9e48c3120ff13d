import { DatabaseSessionError } from '../../runtime/errors.ts';

/**
 * The session variables that the statements of these functions depend on. A server can start
 * sessions with other values (`behavior: {autocommit: false}`, `SET PERSIST`), so that every
 * connection sets them and reads them back. The time zone stays that of the server: bd's own
 * `created_at` is written in it, and rows are compared by it.
 */
const VARIABLES: Readonly<Record<string, number | string>> = {
  /**
   * Off, a write outside a transaction is never committed, and a kept connection reads one old
   * snapshot.
   */
  autocommit: 1,
  /** Dolt knows no other; a transaction reads the snapshot of its start. */
  transaction_isolation: 'REPEATABLE-READ',
  transaction_read_only: 0,
  /** Dolt's default. Strict: a value that does not fit is an error and is not cut. */
  sql_mode: 'NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES',
  foreign_key_checks: 1,
  /** Dolt's default, which is no limit in practice. */
  sql_select_limit: 2_147_483_647,
  /** On, every SQL commit makes a Dolt commit of its own. */
  dolt_transaction_commit: 0,
  /** On, two claims of one bead could both be committed, as a conflict to be resolved later. */
  dolt_force_transaction_commit: 0,
  dolt_allow_commit_conflicts: 0,
};

const NAMES = Object.keys(VARIABLES);
const literal = (value: number | string) => (typeof value === 'number' ? value : `'${value}'`);

/** Sets all of them and reads them back, in one round trip. */
export const SET_VARIABLES_SQL = `
  SET ${NAMES.map((name) => `SESSION ${name} = ${literal(VARIABLES[name] ?? '')}`).join(', ')};
  SELECT ${NAMES.map((name) => `@@${name} AS ${name}`).join(', ')}`;

/**
 * @param row the answer to the second statement of {@link SET_VARIABLES_SQL}.
 * @throws {DatabaseSessionError} names the first variable that did not take its value.
 */
export function checkVariables(row: Readonly<Record<string, unknown>>, where: string): void {
  const wrong = NAMES.find((name) => String(row[name]) !== String(VARIABLES[name]));
  if (wrong === undefined) return;
  throw new DatabaseSessionError(
    `${where} keeps the session variable ${wrong} at ${JSON.stringify(row[wrong])}; these functions need ${JSON.stringify(VARIABLES[wrong])}. Nothing was changed. Check what stands between here and the Dolt server, such as a proxy.`,
  );
}
