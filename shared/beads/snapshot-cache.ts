import type { Schema } from './schema/schema.ts';
import { STATE_SQL } from './rows/statements.ts';
import type { Row, Connection } from './sql/connection.ts';

const NOW_SQL = `SELECT ${STATE_SQL} AS state, UTC_TIMESTAMP(6) AS server_time`;

/** What one snapshot reads of the sentinel's beads. */
export interface CachedRows {
  /** One row: `state` ({@link STATE_SQL}), `server_time`, and what else is not of one bead. */
  tick: Row;
  /** A row for each bead. Nothing in them depends on the time. */
  beads: readonly Row[];
  /** A row for each end that is still to be told. */
  followUps: readonly Row[];
}

/**
 * What this process last read, which is right for as long as the database's hash is the same: an
 * idle tick then costs the same on any number of beads (docs/decisions/0014).
 */
export class SnapshotCache {
  #rows: CachedRows | undefined;
  #schema: Schema | undefined;

  /**
   * @param schema what is read depends on it, so that nothing holds that was read by another one.
   * @param read reads them, in one transaction.
   */
  async read(
    connection: Connection,
    schema: Schema,
    read: () => Promise<CachedRows>,
  ): Promise<CachedRows> {
    const last = this.#rows;
    if (last !== undefined && this.#schema === schema) {
      const [{ state, server_time = null } = {}] = await connection.query(NOW_SQL);
      const { tick } = last;
      if (state === tick['state']) return { ...last, tick: { ...tick, server_time } };
    }
    const rows = await read();
    this.#rows = rows;
    this.#schema = schema;
    return rows;
  }

  /** After a write there is no need to ask whether the hash is the same. */
  forget(): void {
    this.#rows = undefined;
  }
}
