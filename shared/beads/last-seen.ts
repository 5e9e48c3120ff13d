import type { Schema } from './schema.ts';
import type { Row, Session } from './session.ts';

/**
 * Changes with every write to the database, in history or not, and with nothing else; as cheap as asking
 * for nothing, however many beads there are (Dolt 1.88.1). In a transaction it is the hash of just the state
 * that everything in it is read from.
 */
export const STATE_SQL = 'dolt_hashof_db()';

const NOW_SQL = `SELECT ${STATE_SQL} AS state, UTC_TIMESTAMP(6) AS server_time`;

/** What one look reads of the sentinel's beads. */
export interface Seen {
  /** One row: `state` ({@link STATE_SQL}), `server_time`, and what else is not of one bead. */
  tick: Row;
  /** A row for each bead. Nothing in them depends on the time. */
  beads: readonly Row[];
}

/**
 * What this process last saw, which is right for as long as the database's hash is the same: an idle tick
 * then costs the same on any number of beads (docs/decisions/0014).
 */
export class LastSeen {
  #seen: Seen | undefined;
  #schema: Schema | undefined;

  /**
   * @param schema what is read depends on it, so that nothing holds that was read by another one.
   * @param read looks, in one transaction.
   */
  async read(session: Session, schema: Schema, read: () => Promise<Seen>): Promise<Seen> {
    const last = this.#seen;
    if (last !== undefined && this.#schema === schema) {
      const [{ state, server_time = null } = {}] = await session.query(NOW_SQL);
      const { tick, beads } = last;
      if (state === tick['state']) return { tick: { ...tick, server_time }, beads };
    }
    const seen = await read();
    this.#seen = seen;
    this.#schema = schema;
    return seen;
  }

  /** After a write there is no need to ask whether the hash is the same. */
  forget(): void {
    this.#seen = undefined;
  }
}
