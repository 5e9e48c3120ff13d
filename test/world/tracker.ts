import { randomBytes, randomUUID } from 'node:crypto';

import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';

import { connectTo } from './database.ts';

/** The columns of a bead that tests and demo look at. */
export interface TrackedBead {
  id: string;
  title: string;
  status: string;
  priority: number;
  assignee: string | null;
  notes: string;
  acceptance_criteria: string;
  updated_at: string;
  started_at: string | null;
  metadata: string | null;
}

export interface TrackedEvent {
  id: string;
  event_type: string;
  actor: string;
  old_value: string;
  new_value: string;
}

type Fields = Readonly<Record<string, string | number | null>>;

/**
 * What people and agents do with the bd command, as plain SQL on a bd-shaped database: the same
 * rows and columns in one transaction with one Dolt commit, so that the functions meet the writers
 * they will meet. A stand-in for `bd`; where a real one is on PATH, test/real-bd.test.ts uses that.
 */
export class Tracker {
  readonly #connection: Connection;
  /** `table.column` of all that the schema has. */
  #columns = new Set<string>();

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async open(port: number, database: string): Promise<Tracker> {
    const tracker = new Tracker(await connectTo(port, database));
    await tracker.readColumns();
    return tracker;
  }

  /** Looks at the schema again, after a migration. */
  async readColumns(): Promise<void> {
    const columns = await this.sql(
      `SELECT CONCAT(table_name, '.', column_name) AS name FROM information_schema.columns
        WHERE table_schema = DATABASE()`,
    );
    this.#columns = new Set(columns.map(({ name }) => String(name)));
  }

  async close(): Promise<void> {
    await this.#connection.end();
  }

  /** `bd create`. Without acceptance criteria a bead is never dispatched. */
  async create(id: string, fields: Fields = {}): Promise<void> {
    const row: Fields = {
      id,
      title: `Bead ${id}`,
      description: '',
      design: '',
      acceptance_criteria: 'It works.',
      notes: '',
      ...fields,
    };
    await this.#commit(`bd: create ${id}`, async () => {
      await this.#connection.query('INSERT INTO issues SET ?', [row]);
      await this.#record(id, 'created', 'person', '', '');
    });
  }

  /** `bd assign <id> <assignee>`; an empty assignee takes the bead back. */
  async assign(id: string, assignee: string, actor = 'person'): Promise<void> {
    await this.update(id, { assignee }, actor);
  }

  /** `bd update`: the columns, and the one `events` row that bd writes for them. */
  async update(id: string, fields: Fields, actor = 'person'): Promise<void> {
    const { status } = fields;
    await this.#commit(`bd: update ${id}`, async () => {
      await this.#connection.query(
        'UPDATE issues SET ?, updated_at = UTC_TIMESTAMP() WHERE id = ?',
        [{ ...fields, ...this.#freshVersion() }, id],
      );
      if ('status' in fields || 'assignee' in fields) await this.#endLease(id);
      const type = status === undefined ? 'updated' : 'status_changed';
      await this.#record(id, type, actor, '{}', JSON.stringify(fields));
    });
  }

  /** Whether a bead that is claimed with bd has a lease. */
  get hasLeases(): boolean {
    return this.#columns.has('leases.issue_id');
  }

  /**
   * `bd heartbeat` by a bead's assignee, which also grants the lease that a plain update does not.
   * @param agoMinutes when the last heartbeat was; the lease runs for five minutes from it.
   */
  async heartbeat(id: string, agoMinutes = 0): Promise<void> {
    await this.#connection.query(
      `REPLACE INTO leases (issue_id, holder, granted_at, lease_expires_at, heartbeat_at)
       SELECT id, assignee, beat, beat + INTERVAL 5 MINUTE, beat
         FROM issues, (SELECT UTC_TIMESTAMP() - INTERVAL ? MINUTE AS beat) clock WHERE id = ?`,
      [agoMinutes, id],
    );
  }

  /** `bd note`. */
  async note(id: string, note: string, actor = 'person'): Promise<void> {
    const { notes } = await this.show(id);
    await this.update(id, { notes: notes === '' ? note : `${notes}\n${note}` }, actor);
  }

  /** A note that cannot overwrite one that comes at the same moment; bd's own can. */
  async appendNote(id: string, note: string, actor = 'person'): Promise<void> {
    await this.#commit(`bd: update ${id}`, async () => {
      await this.#connection.query(
        `UPDATE issues SET notes = CONCAT(notes, IF(notes = '', '', '\n'), ?),
                updated_at = UTC_TIMESTAMP()${this.#columns.has('issues.row_lock') ? ', row_lock = RAND() * POW(2, 62)' : ''}
          WHERE id = ?`,
        [note, id],
      );
      await this.#record(id, 'updated', actor, '{}', JSON.stringify({ notes: note }));
    });
  }

  /** Does it again when a tick was faster, as a person does whose bd command failed. */
  async retrying(act: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await act();
        return;
      } catch (error) {
        const isConflict =
          error instanceof Error && error.message.includes('serialization failure');
        if (!isConflict || tries === 20) throw error;
        await this.#connection.query('ROLLBACK');
      }
    }
  }

  /** `bd close`. */
  async closeBead(id: string, reason: string, actor = 'person'): Promise<void> {
    await this.#commit(`bd: close ${id}`, async () => {
      await this.#connection.query(
        'UPDATE issues SET ?, closed_at = UTC_TIMESTAMP(), updated_at = UTC_TIMESTAMP() WHERE id = ?',
        [{ status: 'closed', close_reason: reason, ...this.#freshVersion() }, id],
      );
      await this.#endLease(id);
      await this.#record(id, 'closed', actor, '', reason);
      await this.#unblockDependents(id);
    });
  }

  /** `bd dep add <id> <on>`; `is_blocked` follows, where the schema has it. */
  async depend(id: string, on: string, type: string): Promise<void> {
    const split = this.#hasSplitTargets;
    await this.#commit(`bd: dep add ${id}`, async () => {
      await this.#connection.query('INSERT INTO dependencies SET ?', [
        split
          ? { id: randomUUID(), issue_id: id, depends_on_issue_id: on, type, created_by: 'person' }
          : { issue_id: id, depends_on_id: on, type, created_by: 'person' },
      ]);
      if (split && type === 'blocks') {
        await this.#connection.query('UPDATE issues SET is_blocked = 1 WHERE id = ?', [id]);
      }
    });
  }

  /** `bd delete`: the bead goes with all its history. */
  async remove(id: string): Promise<void> {
    await this.#commit(`bd: delete ${id}`, async () => {
      await this.#connection.query('DELETE FROM issues WHERE id = ?', [id]);
    });
  }

  /** Moves the last change of a bead into the past, instead of waiting for it to get old. */
  async age(id: string, minutes: number): Promise<void> {
    await this.#commit(`age ${id}`, async () => {
      await this.#connection.query(
        'UPDATE issues SET updated_at = DATE_SUB(UTC_TIMESTAMP(), INTERVAL ? SECOND) WHERE id = ?',
        // The column rounds to whole seconds, half of the time into the future.
        [minutes * 60 + 1, id],
      );
    });
  }

  /** Moves everything that happened to a bead into the past, so that its back-off is over. */
  async ageHistory(id: string, minutes: number): Promise<void> {
    await this.#commit(`age the history of ${id}`, async () => {
      await this.#connection.query(
        'UPDATE events SET created_at = DATE_SUB(created_at, INTERVAL ? MINUTE) WHERE issue_id = ?',
        [minutes, id],
      );
    });
  }

  /** Moves everything into the past, as if so much time had gone by. */
  async passTime(minutes: number): Promise<void> {
    await this.#commit(`${minutes} minutes pass`, async () => {
      await this.#connection.query(
        'UPDATE issues SET updated_at = updated_at - INTERVAL ? MINUTE, defer_until = defer_until - INTERVAL ? MINUTE',
        [minutes, minutes],
      );
      await this.#connection.query(
        'UPDATE events SET created_at = created_at - INTERVAL ? MINUTE',
        [minutes],
      );
    });
  }

  async show(id: string): Promise<TrackedBead> {
    const bead = await this.find(id);
    if (bead === undefined) throw new Error(`there is no bead ${id || '(none was named)'}`);
    return bead;
  }

  async find(id: string): Promise<TrackedBead | undefined> {
    const [rows] = await this.#connection.query<(TrackedBead & RowDataPacket)[]>(
      'SELECT * FROM issues WHERE id = ?',
      [id],
    );
    return rows[0];
  }

  async list(): Promise<TrackedBead[]> {
    const [rows] = await this.#connection.query<(TrackedBead & RowDataPacket)[]>(
      'SELECT * FROM issues ORDER BY id',
    );
    return rows;
  }

  /** The bead's `events` rows by these functions, oldest first. */
  async eventsBy(actor: string, id: string): Promise<TrackedEvent[]> {
    const [rows] = await this.#connection.query<(TrackedEvent & RowDataPacket)[]>(
      'SELECT * FROM events WHERE actor = ? AND issue_id = ? ORDER BY id',
      [actor, id],
    );
    return rows;
  }

  /**
   * Tables with changes that no Dolt commit holds; must never be one that these functions write.
   */
  async dirtyTables(): Promise<string[]> {
    const [rows] = await this.#connection.query<RowDataPacket[]>(
      'SELECT table_name AS t FROM dolt_status',
    );
    return rows.map((row) => String(row['t']));
  }

  /** Messages of the newest Dolt commits, newest first. */
  async log(limit = 50): Promise<{ message: string; committer: string }[]> {
    const [rows] = await this.#connection.query<
      ({ message: string; committer: string } & RowDataPacket)[]
    >('SELECT message, committer FROM dolt_log LIMIT ?', [limit]);
    return rows;
  }

  /** Any other statement. */
  async sql(statement: string, values: unknown[] = []): Promise<RowDataPacket[]> {
    const [rows] = await this.#connection.query<RowDataPacket[] | ResultSetHeader>(
      statement,
      values,
    );
    return Array.isArray(rows) ? rows : [];
  }

  /** bd 1.0.5 keeps `is_blocked` of the beads that waited for one that is closed. */
  async #unblockDependents(id: string): Promise<void> {
    if (!this.#hasSplitTargets) return;
    const [rows] = await this.#connection.query<RowDataPacket[]>(
      `SELECT d.issue_id AS id FROM dependencies d
        WHERE d.type = 'blocks' AND d.depends_on_issue_id = ?
          AND NOT EXISTS (
            SELECT 1 FROM dependencies o JOIN issues b ON b.id = o.depends_on_issue_id
             WHERE o.issue_id = d.issue_id AND o.type = 'blocks'
               AND b.status NOT IN ('closed', 'pinned'))`,
      [id],
    );
    for (const row of rows) {
      await this.#connection.query('UPDATE issues SET is_blocked = 0 WHERE id = ?', [row['id']]);
    }
  }

  /** bd deletes it when a claim ends or changes hands. */
  async #endLease(id: string): Promise<void> {
    if (this.hasLeases) await this.sql('DELETE FROM leases WHERE issue_id = ?', [id]);
  }

  get #hasSplitTargets(): boolean {
    return this.#columns.has('dependencies.depends_on_issue_id');
  }

  /** bd renews this cell with every update of a bead. */
  #freshVersion(): Fields {
    if (!this.#columns.has('issues.row_lock')) return {};
    return { row_lock: String(randomBytes(8).readBigInt64LE() | 1n) };
  }

  async #record(id: string, type: string, actor: string, old: string, value: string) {
    await this.#connection.query(
      'INSERT INTO events (id, issue_id, event_type, actor, old_value, new_value) VALUES (?, ?, ?, ?, ?, ?)',
      [randomUUID(), id, type, actor, old, value],
    );
  }

  async #commit(message: string, write: () => Promise<void>): Promise<void> {
    await this.#connection.query('START TRANSACTION');
    await write();
    await this.#connection.query("CALL DOLT_ADD('issues', 'events', 'dependencies')");
    await this.#connection.query(
      "CALL DOLT_COMMIT('--skip-empty', '-m', ?, '--author', 'beads <beads@local>')",
      [message],
    );
    await this.#connection.query('COMMIT');
  }
}
