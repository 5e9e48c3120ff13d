import { parseBead, type Bead, type ParsedBead } from './rows/bead.ts';
import { DELETE_LOCAL_SQL } from './rows/local-metadata.ts';
import {
  outboxEntryOf,
  outboxProblemOf,
  outboxSinceOf,
  OUTBOX_COUNT_SQL,
  OUTBOX_ENTRIES_STATEMENT,
  READ_AWAY_SQL,
  sinkAwayOf,
  type SinkAway,
  type OutboxEntry,
} from './rows/outbox.ts';
import {
  changesOf,
  countsIn,
  historyPageStatement,
  historyStatement,
  NO_TRANSITIONS,
  PAGE_CHANGES,
  transitionsStatement,
  TRANSITION_COUNTS_SQL,
  TRANSITIONS_TODAY_STATEMENT,
  type PastChange,
  type TransitionCounts,
} from './rows/past-change.ts';
import { statementsFor } from './rows/statements.ts';
import type { SchemaCache } from './schema/schema-cache.ts';
import type { Connection, Row } from './sql/connection.ts';
import { tracesIn, tracesStatement } from './write/commit-message.ts';

/** How far history has been read: the time of the last row, as the server has it, and its id. */
export interface HistoryCursor {
  time: string;
  id: string;
}

/** What concerns an operator beside the snapshot. */
export interface Overview {
  /** The sentinel's beads that are blocked. */
  blocked: Bead[];
  /** The sentinel's beads that were closed in the last 24 hours. */
  closed: Bead[];
  /** Assignees of open beads with the number of their beads and one of the ids. */
  assignees: { assignee: string; beads: number; example: string }[];
  /** Events that wait for the sink, parked ones among them. */
  outboxEvents: number;
  /** When the oldest of them was recorded; `undefined` when none waits. */
  outboxSince: Date | undefined;
  /** What the sink last said of an event that is parked. */
  problem: string | undefined;
  /** When the sink last took nothing at all; it may be back. */
  sinkAway: SinkAway | undefined;
  /** Transitions of the last 24 hours. */
  today: Partial<TransitionCounts>;
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

  /** The history of one bead, the oldest first. */
  async history(id: string): Promise<PastChange[]> {
    return changesOf(await this.#connection.query(...historyStatement(id)));
  }

  /** Of the transitions in a bead's history: the traces of their ticks, by the id of the change. */
  async traces(id: string): Promise<ReadonlyMap<string, string>> {
    return tracesIn(await this.#connection.query(...tracesStatement(id)));
  }

  /** What these functions did in the last seconds, the oldest first. */
  async transitions(seconds: number): Promise<PastChange[]> {
    return changesOf(await this.#connection.query(...transitionsStatement(seconds)));
  }

  /** Counts over all of history, so that no restart loses one. */
  async transitionCounts(): Promise<TransitionCounts> {
    return { ...NO_TRANSITIONS, ...countsIn(await this.#connection.query(TRANSITION_COUNTS_SQL)) };
  }

  /** All in one round trip. */
  async overview(): Promise<Overview> {
    const [blockedSql, closedSql] = await this.#beadsSql([BLOCKED, CLOSED]);
    const [blocked = [], closed = [], assignees = [], [outbox = {}] = [], today = []] =
      await this.#connection.batch([
        [blockedSql, [this.#sentinel]],
        [closedSql, [this.#sentinel]],
        [ASSIGNEES_SQL],
        [OUTBOX_COUNT_SQL],
        TRANSITIONS_TODAY_STATEMENT,
      ]);
    return {
      blocked: beadsIn(blocked),
      closed: beadsIn(closed),
      assignees: assignees.map(({ assignee, beads, example }) => ({
        assignee: String(assignee),
        beads: Number(beads),
        example: String(example),
      })),
      outboxEvents: Number(outbox['count']),
      outboxSince: outboxSinceOf(outbox),
      problem: outboxProblemOf(outbox),
      sinkAway: sinkAwayOf(outbox['away']),
      today: countsIn(today),
    };
  }

  /**
   * All of history, page by page.
   * @param cursor of the page before; `undefined` for the first.
   */
  async historySince(
    cursor: HistoryCursor = { time: '1970-01-01 00:00:00', id: '' },
  ): Promise<{ changes: PastChange[]; cursor: HistoryCursor; isLast: boolean }> {
    const rows = await this.#connection.query(...historyPageStatement(cursor));
    const last = rows.at(-1);
    return {
      changes: changesOf(rows),
      cursor: last === undefined ? cursor : { time: String(last['time']), id: String(last['id']) },
      isLast: rows.length < PAGE_CHANGES,
    };
  }

  /** What waits for the sink, the oldest first. */
  async outbox(): Promise<OutboxEntry[]> {
    const [entries = [], [away = {}] = []] = await this.#connection.batch([
      OUTBOX_ENTRIES_STATEMENT,
      [READ_AWAY_SQL],
    ]);
    return entries.map((row) => outboxEntryOf(row, sinkAwayOf(away['value'])));
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

  async #beadsSql(where: readonly [string, string]): Promise<[string, string]> {
    return await this.#schema.use(this.#connection, async (schema) => {
      const { beadsWhere } = statementsFor(schema);
      return [beadsWhere(where[0]), beadsWhere(where[1])];
    });
  }
}

/** Those that can be read; what cannot is told elsewhere. */
const beadsIn = (rows: readonly Row[]): Bead[] =>
  rows.flatMap((row) => {
    const parsed = parseBead(row);
    return parsed.ok ? [parsed.bead] : [];
  });

const BLOCKED = "assignee = ? AND status = 'blocked'";
const CLOSED =
  "assignee = ? AND status = 'closed' AND updated_at > UTC_TIMESTAMP() - INTERVAL 1 DAY";
const ASSIGNEES_SQL = `
  SELECT assignee, COUNT(*) AS beads, MIN(id) AS example FROM issues
   WHERE status = 'open' AND assignee IS NOT NULL AND assignee <> '' GROUP BY assignee`;
