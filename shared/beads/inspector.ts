import { parseBead, type Bead, type ParsedBead } from './rows/bead.ts';
import { DISPATCHER, REAPER } from './rows/actors.ts';
import type { MarkerName } from './rows/claim-marker.ts';
import { outboxEntryOf, OUTBOX_ENTRIES_SQL, type OutboxEntry } from './rows/outbox.ts';
import { DELETE_LOCAL_SQL } from './rows/local-metadata.ts';
import { statementsFor } from './rows/statements.ts';
import type { SchemaCache } from './schema/schema-cache.ts';
import type { Connection, Row } from './sql/connection.ts';
import { fromSqlTime } from './sql/time.ts';

/** One row of a bead's history. */
export interface PastChange {
  id: string;
  beadId: string;
  at: Date;
  actor: string;
  /** As bd calls it: `created`, `status_changed`, `updated`, `closed` … */
  type: string;
  /** What was set: the status, the assignee, the newest note. */
  status: string | undefined;
  assignee: string | undefined;
  note: string | undefined;
}

/** Rows of history that are read at once. */
const MOST_CHANGES = 1_000;
/** More than a note of ours, with the keys around it. */
const TAIL_CHARACTERS = 4_000;
const CHANGE_COLUMNS = `
  id, issue_id, actor, event_type, RIGHT(new_value, ${TAIL_CHARACTERS}) AS tail,
  UTC_TIMESTAMP() - INTERVAL TIMESTAMPDIFF(SECOND, created_at, CURRENT_TIMESTAMP()) SECOND AS at`;

/** How often each transition is in history. */
export type TransitionCounts = Readonly<Record<MarkerName, number>>;

/** The last line of the notes in a row of history: a line break is a backslash and an n there. */
const LAST_NOTE = String.raw`SUBSTRING_INDEX(new_value, '\\n', -1)`;
const TRANSITION_COUNTS_SQL = `
  SELECT CASE
           WHEN actor = '${REAPER}' AND new_value LIKE '%"status":"blocked"}' THEN 'reaped'
           WHEN actor = '${REAPER}' THEN 'released'
           WHEN new_value LIKE '%"status":"in_progress"}' THEN 'claimed'
           WHEN new_value LIKE '%"status":"blocked"}' THEN 'given-up'
           WHEN ${LAST_NOTE} LIKE '%dispatched: job=%' THEN 'dispatched'
           WHEN ${LAST_NOTE} LIKE '%dispatch outcome unknown: %' THEN 'unconfirmed'
           WHEN ${LAST_NOTE} LIKE '%dispatch withdrawn: %' THEN 'withdrawn'
           ELSE 'failed'
         END AS transition, COUNT(*) AS count
    FROM events WHERE actor IN ('${DISPATCHER}', '${REAPER}') GROUP BY transition`;

/** What people ask of the database beside the snapshot; it reads, and removes events when it is told to. */
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
    const rows = await this.#connection.query(
      `SELECT ${CHANGE_COLUMNS} FROM events WHERE issue_id = ? ORDER BY created_at DESC, id DESC LIMIT ${MOST_CHANGES}`,
      [id],
    );
    return rows.map(changeOf).toSorted(byTime);
  }

  /** What these functions did in the last seconds, the oldest first. */
  async transitions(seconds: number): Promise<PastChange[]> {
    const rows = await this.#connection.query(
      `SELECT ${CHANGE_COLUMNS} FROM events
        WHERE created_at > CURRENT_TIMESTAMP() - INTERVAL ? SECOND AND actor IN (?)
        ORDER BY created_at DESC, id DESC LIMIT ${MOST_CHANGES}`,
      [seconds, [DISPATCHER, REAPER]],
    );
    return rows.map(changeOf).toSorted(byTime);
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

  /** Assignees of open beads with the number of their beads and one of the ids. */
  async openAssignees(): Promise<{ assignee: string; beads: number; example: string }[]> {
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
    return (await this.#connection.query(OUTBOX_ENTRIES_SQL)).map(outboxEntryOf);
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

/** bd keeps whole seconds: within one, a bead is made first and closed last, and ids of ours have an order. */
function byTime(a: PastChange, b: PastChange): number {
  return (
    a.at.getTime() - b.at.getTime() ||
    rankOf(a) - rankOf(b) ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}

const rankOf = ({ type }: PastChange) => (type === 'created' ? 0 : type === 'closed' ? 2 : 1);

function changeOf(row: Row): PastChange {
  const tail = String(row['tail'] ?? '');
  return {
    id: String(row['id']),
    beadId: String(row['issue_id']),
    at: fromSqlTime(String(row['at'])) ?? new Date(Number.NaN),
    actor: String(row['actor']),
    type: String(row['event_type']),
    status: /"status":"([^"]*)"\}?$/.exec(tail)?.[1],
    assignee: /"assignee":"((?:[^"\\]|\\.)*)"/.exec(tail)?.[1],
    note: noteIn(tail),
  };
}

/** The last line of the notes that a row of history holds, as text. */
function noteIn(tail: string): string | undefined {
  const notes = /(?:^|"notes":")((?:[^"\\]|\\.)*)"(?:,"status":"[^"]*")?\}$/.exec(tail)?.[1];
  if (notes === undefined || notes === '') return undefined;
  const last = notes.split(/(?<!\\)(?:\\\\)*\\n/).at(-1) ?? '';
  try {
    return String(JSON.parse(`"${last}"`));
  } catch {
    return last;
  }
}
