import type { Row, Session } from './session.ts';

/**
 * Changes with every write to the database, in history or not, and with nothing else; as cheap as asking
 * for nothing, however many beads there are (Dolt 1.88.1). Read in one statement with some rows it is the
 * hash of just the state that they come from.
 */
export const STATE_SQL = 'dolt_hashof_db()';

const NOW_SQL = `SELECT ${STATE_SQL} AS state, UTC_TIMESTAMP(6) AS server_time`;

/**
 * The answer to one query as this process last got it, which is right for as long as the database's hash
 * is the same: an idle tick then costs the same on any number of beads.
 */
export class LastRows {
  #state: unknown;
  #rows: readonly Row[] = [];

  /**
   * @param sql a query whose rows have {@link STATE_SQL} as `state`, and whose only dependence on the
   *   time is the `server_time` in them.
   */
  async read(session: Session, sql: string, values: readonly string[]): Promise<readonly Row[]> {
    if (this.#state !== undefined) {
      const [{ state, server_time = null } = {}] = await session.query(NOW_SQL);
      if (state === this.#state) return this.#rows.map((row) => ({ ...row, server_time }));
    }
    this.#rows = await session.query(sql, values);
    this.#state = this.#rows[0]?.['state'];
    return this.#rows;
  }

  /** After a write there is no need to ask whether the hash is the same. */
  forget(): void {
    this.#state = undefined;
    this.#rows = [];
  }
}
