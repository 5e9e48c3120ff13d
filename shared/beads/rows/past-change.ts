import type { Row, Statement } from '../sql/connection.ts';
import { fromSqlTime } from '../sql/time.ts';
import { DISPATCHER, REAPER } from './actors.ts';
import { TRANSITION_NAMES, type MarkerName } from './claim-marker.ts';
import { dispatchedNote, unconfirmedNote, withdrawnNote } from './notes.ts';

/** What a row of bd's history tells a person. */

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

/** No transaction of bd, or of these functions, takes longer from its row to its commit. */
const SETTLED_SECONDS = 15;
/** A note, with the keys around it, is shorter. */
const TAIL_CHARACTERS = 4_000;
/** What {@link changeOf} reads of a row of `events`. */
const CHANGE_COLUMNS = `
  id, issue_id, actor, event_type, RIGHT(new_value, ${TAIL_CHARACTERS}) AS tail,
  UTC_TIMESTAMP() - INTERVAL TIMESTAMPDIFF(SECOND, created_at, CURRENT_TIMESTAMP()) SECOND AS at`;

/**
 * The oldest first. bd keeps whole seconds: within one, a bead is made first and closed last, and
 * the ids that these functions give have an order.
 */
function byTime(a: PastChange, b: PastChange): number {
  return (
    a.at.getTime() - b.at.getTime() ||
    rankOf(a) - rankOf(b) ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}

const rankOf = ({ type }: PastChange) => (type === 'created' ? 0 : type === 'closed' ? 2 : 1);

/** Whether one of these functions made it. */
export const isOurs = ({ actor }: PastChange) => actor === DISPATCHER || actor === REAPER;

/** Rows of history that are read at once. */
const MOST_CHANGES = 1_000;

/** @returns asks for the history of one bead, the newest first. */
export const historyStatement = (id: string): Statement => [
  `SELECT ${CHANGE_COLUMNS} FROM events WHERE issue_id = ? ORDER BY created_at DESC, id DESC LIMIT ${MOST_CHANGES}`,
  [id],
];

/** @returns the changes in rows with {@link CHANGE_COLUMNS}, the oldest first. */
export const changesOf = (rows: readonly Row[]) => rows.map(changeOf).toSorted(byTime);

/** @param row {@link CHANGE_COLUMNS} of one event. */
function changeOf(row: Row): PastChange {
  const tail = String(row['tail'] ?? '');
  return {
    id: String(row['id']),
    beadId: String(row['issue_id']),
    at: fromSqlTime(String(row['at'])) ?? new Date(Number.NaN),
    actor: String(row['actor']),
    type: String(row['event_type']),
    // Within a text a quote is escaped, so that these are fields.
    status: /[{,]"status":"([^"]*)"/.exec(tail)?.[1],
    assignee: /[{,]"assignee":"((?:[^"\\]|\\.)*)"/.exec(tail)?.[1],
    note: noteIn(tail),
  };
}

/** Rows of all of history that are read at once. */
export const PAGE_CHANGES = 2_000;
/**
 * A page of all of history, in the order of time. The newest seconds are left for later, since a
 * transaction that is not committed yet may still put a row there.
 * @param after the time and the id of the last row of the page before.
 */
export const historyPageStatement = (after: { time: string; id: string }): Statement => [
  `SELECT ${CHANGE_COLUMNS}, CAST(created_at AS CHAR) AS time FROM events
    WHERE (created_at > ? OR (created_at = ? AND id > ?))
      AND created_at < CURRENT_TIMESTAMP() - INTERVAL ${SETTLED_SECONDS} SECOND
    ORDER BY created_at, id LIMIT ${PAGE_CHANGES}`,
  [after.time, after.time, after.id],
];

/** @returns asks for what these functions did in the last seconds, the newest first. */
export const transitionsStatement = (seconds: number): Statement => [
  `SELECT ${CHANGE_COLUMNS} FROM events
    WHERE created_at > CURRENT_TIMESTAMP() - INTERVAL ? SECOND AND actor IN (?)
    ORDER BY created_at DESC, id DESC LIMIT ${MOST_CHANGES}`,
  [seconds, [DISPATCHER, REAPER]],
];

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

/**
 * @returns the transition that a change by one of the functions was; `undefined` for a change by
 *   others.
 */
export function transitionIn({ actor, status, note = '' }: PastChange): MarkerName | undefined {
  if (actor === REAPER) return status === 'blocked' ? 'reaped' : 'released';
  if (actor !== DISPATCHER) return undefined;
  if (status === 'in_progress') return 'claimed';
  if (status === 'blocked') return 'given-up';
  if (note.startsWith(dispatchedNote(''))) return 'dispatched';
  if (note.startsWith(unconfirmedNote(''))) return 'unconfirmed';
  return note.startsWith(withdrawnNote('')) ? 'withdrawn' : 'failed';
}

/** The last line of the notes in a row of history: a line break is a backslash and an n there. */
const LAST_NOTE = String.raw`SUBSTRING_INDEX(new_value, '\\n', -1)`;
/** Counts transitions; the same cases as {@link transitionIn}. */
const countsSql = (since = '') => `
  SELECT CASE
           WHEN actor = '${REAPER}' AND new_value LIKE '%"status":"blocked"}' THEN 'reaped'
           WHEN actor = '${REAPER}' THEN 'released'
           WHEN new_value LIKE '%"status":"in_progress"}' THEN 'claimed'
           WHEN new_value LIKE '%"status":"blocked"}' THEN 'given-up'
           WHEN ${LAST_NOTE} LIKE '%${dispatchedNote('')}%' THEN 'dispatched'
           WHEN ${LAST_NOTE} LIKE '%${unconfirmedNote('')}%' THEN 'unconfirmed'
           WHEN ${LAST_NOTE} LIKE '%${withdrawnNote('')}%' THEN 'withdrawn'
           ELSE 'failed'
         END AS transition, COUNT(*) AS count
    FROM events WHERE actor IN ('${DISPATCHER}', '${REAPER}')${since} GROUP BY transition`;

/** Over all of history. */
export const TRANSITION_COUNTS_SQL = countsSql();
const DAY_SECONDS = 86_400;
export const TRANSITIONS_TODAY_STATEMENT: Statement = [
  countsSql(' AND created_at > CURRENT_TIMESTAMP() - INTERVAL ? SECOND'),
  [DAY_SECONDS],
];

/** How often each transition is in history. */
export type TransitionCounts = Readonly<Record<MarkerName, number>>;

export const NO_TRANSITIONS: TransitionCounts = {
  claimed: 0,
  dispatched: 0,
  unconfirmed: 0,
  failed: 0,
  'given-up': 0,
  reaped: 0,
  released: 0,
  withdrawn: 0,
};

/** @param rows the answer to one of the statements that count. */
export function countsIn(rows: readonly Row[]): Partial<TransitionCounts> {
  const found = new Map(rows.map(({ transition, count }) => [transition, Number(count)]));
  return Object.fromEntries(
    TRANSITION_NAMES.flatMap((name) => {
      const count = found.get(name);
      return count === undefined ? [] : [[name, count]];
    }),
  );
}
