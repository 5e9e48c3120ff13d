import { parseBead, type Bead, type ParsedBead } from './rows/bead.ts';
import type { MarkerName } from './rows/claim-marker.ts';
import { DELETE_LOCAL_SQL } from './rows/local-metadata.ts';
import {
  outboxEntryOf,
  OUTBOX_COUNT_SQL,
  OUTBOX_ENTRIES_STATEMENT,
  type OutboxEntry,
} from './rows/outbox.ts';
import {
  changesOf,
  historyStatement,
  transitionsStatement,
  TRANSITION_COUNTS_SQL,
  type PastChange,
} from './rows/past-change.ts';
import { statementsFor } from './rows/statements.ts';
import type { SchemaCache } from './schema/schema-cache.ts';
import type { Connection, Row } from './sql/connection.ts';

/** How often each transition is in history. */
export type TransitionCounts = Readonly<Record<MarkerName, number>>;

/** What concerns an operator beside the snapshot. */
export interface Overview {
  /** The sentinel's beads that are blocked, the newest first. */
  blocked: Bead[];
  /** Assignees of open beads with the number of their beads and one of the ids. */
  assignees: { assignee: string; beads: number; example: string }[];
  /** Events that wait for the sink. */
  outboxEvents: number;
}

/**
 * What people ask of the database beside the snapshot; it reads, and removes events when it is told
 * to.
 */
export class Inspector {
  readonly #connection: Connection;
  readonly #schema: SchemaCache;
  readonly #sentinel: string;

  constructor(connection: Connection, schema: SchemaCache, sentinel: string) {
    this.#connection = connection;
    this.#schema = schema;
    this.#sentinel = sentinel;
  }

  /** Any bead, whoever it belongs to; `undefined` when there is none of that id. */
  async find(id: string): Promise<ParsedBead | undefined> {
    const rows = await this.#beads('issues.id = ?', [id]);
    return rows[0] && parseBead(rows[0]);
  }

  /** The sentinel's beads that are blocked, the newest first. */
  async blocked(): Promise<Bead[]> {
    const rows = await this.#beads("assignee = ? AND status = 'blocked'", [this.#sentinel]);
    return rows.flatMap((row) => {
      const parsed = parseBead(row);
      return parsed.ok ? [parsed.bead] : [];
    });
  }

  /** The history of one bead, the oldest first. */
  async history(id: string): Promise<PastChange[]> {
    return changesOf(await this.#connection.query(...historyStatement(id)));
  }

  /** What these functions did in the last seconds, the oldest first. */
  async transitions(seconds: number): Promise<PastChange[]> {
    return changesOf(await this.#connection.query(...transitionsStatement(seconds)));
  }

  /** Counts over all of history, so that no restart loses one. */
  async transitionCounts(): Promise<TransitionCounts> {
    const rows = await this.#connection.query(TRANSITION_COUNTS_SQL);
    const found = new Map(rows.map(({ transition, count }) => [String(transition), Number(count)]));
    const of = (name: MarkerName) => found.get(name) ?? 0;
    return {
      claimed: of('claimed'),
      dispatched: of('dispatched'),
      unconfirmed: of('unconfirmed'),
      failed: of('failed'),
      'given-up': of('given-up'),
      reaped: of('reaped'),
      released: of('released'),
      withdrawn: of('withdrawn'),
    };
  }

  async overview(): Promise<Overview> {
    const [{ count } = {}] = await this.#connection.query(OUTBOX_COUNT_SQL);
    return {
      blocked: await this.blocked(),
      assignees: await this.#openAssignees(),
      outboxEvents: Number(count),
    };
  }

  async #openAssignees(): Promise<Overview['assignees']> {
    const rows = await this.#connection.query(
      `SELECT assignee, COUNT(*) AS beads, MIN(id) AS example FROM issues
        WHERE status = 'open' AND assignee IS NOT NULL AND assignee <> '' GROUP BY assignee`,
    );
    return rows.map(({ assignee, beads, example }) => ({
      assignee: String(assignee),
      beads: Number(beads),
      example: String(example),
    }));
  }

  /** What waits for the sink, the oldest first. */
  async outbox(): Promise<OutboxEntry[]> {
    return (await this.#connection.query(...OUTBOX_ENTRIES_STATEMENT)).map(outboxEntryOf);
  }

  /** Removes an event that will never be sent. */
  async drop(key: string): Promise<void> {
    await this.#connection.query(DELETE_LOCAL_SQL, [[key]]);
  }

  async #beads(where: string, values: readonly string[]): Promise<Row[]> {
    return await this.#schema.use(this.#connection, async (schema) =>
      this.#connection.query(statementsFor(schema).beadsWhere(where), [...values]),
    );
  }
}
