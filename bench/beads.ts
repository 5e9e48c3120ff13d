import { randomUUID } from 'node:crypto';

import { createConnection, type Connection } from 'mysql2/promise';

import type { Tracker } from '../test/world/tracker.ts';
import type { Place } from './world.ts';

/** Rows in one INSERT: few enough for one packet. */
const BATCH = 1_000;

export interface Population {
  /** Beads that can be dispatched at once. */
  eligible: number;
  /** Beads of people and agents in all other states. */
  others?: number;
  /** `blocks` dependencies among the others. */
  dependencies?: number;
}

/** Of the beads that nobody dispatches, as in a project of some years. */
const CLOSED = 0.8;
/**
 * Every twentieth of those was the agent's, and as many of another one that has nothing left to do.
 */
const AGENTS = 0.05;
export const IDLE_AGENT = 'robot';
const PEOPLE = ['ann', 'ben', 'cleo', 'dan', ''];
/** A description as people write them. */
const DESCRIPTION = 'What it is about, what was tried and where to look. '.repeat(8);

/** Fills a database, in one Dolt commit. */
export async function addBeads(
  tracker: Tracker,
  { eligible, others = 0, dependencies = 0 }: Population,
): Promise<void> {
  const mark = randomUUID().slice(0, 8);
  const rows = Array.from({ length: others }, (_, index) => other(`code-o${mark}${index}`, index));
  const ready = Array.from({ length: eligible }, (_, index) =>
    row(`code-e${mark}${index}`, 'open', 'agent', index % 5),
  );
  await insert(tracker, 'issues', ISSUE_COLUMNS, [...rows, ...ready]);
  // Each waits for the one before it.
  const open = rows.filter(([, , status]) => status === 'open').map(([id]) => id);
  const pairs = Array.from({ length: dependencies }, (_, index) => {
    const [first = '', second = ''] = [open[index % open.length], open[(index + 1) % open.length]];
    return [randomUUID(), first, second, 'blocks', 'ann'];
  });
  await insert(tracker, 'dependencies', DEPENDENCY_COLUMNS, pairs);
  for (let from = 0; from < pairs.length; from += BATCH) {
    const waiting = pairs.slice(from, from + BATCH).map(([, id]) => id);
    await tracker.sql('UPDATE issues SET is_blocked = 1 WHERE id IN (?)', [waiting]);
  }
  // Each was created on some day of the last year.
  await tracker.sql(
    `INSERT INTO events (id, issue_id, event_type, actor, old_value, new_value, created_at)
     SELECT UUID(), id, 'created', 'ann', '', '', NOW() - INTERVAL FLOOR(2 + RAND() * 363) DAY
       FROM issues WHERE id LIKE ?`,
    [`code-o${mark}%`],
  );
  await tracker.sql("CALL DOLT_COMMIT('-Am', 'beads')");
}

/** Ends whatever the agent has, so that nothing is left to dispatch or to reap. */
export async function closeAll(tracker: Tracker): Promise<void> {
  await tracker.sql(
    "UPDATE issues SET status = 'closed' WHERE assignee = 'agent' AND status <> 'closed'",
  );
  await tracker.sql("CALL DOLT_COMMIT('-Am', 'close')");
}

/** A connection as the functions make it, which the caller ends. */
export async function connectAs({ variables }: Place): Promise<Connection> {
  return await createConnection({
    host: variables['BEADS_DOLT_SERVER_HOST'] ?? '',
    port: Number(variables['BEADS_DOLT_SERVER_PORT']),
    user: variables['BEADS_DOLT_SERVER_USER'] ?? '',
    password: variables['BEADS_DOLT_PASSWORD'] ?? '',
    database: variables['BEADS_DOLT_SERVER_DATABASE'] ?? '',
  });
}

const ISSUE_COLUMNS = [
  'id',
  'title',
  'status',
  'assignee',
  'priority',
  'description',
  'design',
  'acceptance_criteria',
  'notes',
];
const DEPENDENCY_COLUMNS = ['id', 'issue_id', 'depends_on_issue_id', 'type', 'created_by'];

function other(id: string, index: number): string[] {
  // 617 and 1000 have no factor in common: any part of the beads is mixed like the whole.
  const part = ((index * 617) % 1000) / 1000;
  if (part < CLOSED * AGENTS) return row(id, 'closed', 'agent', index % 5);
  if (part < CLOSED * AGENTS * 2) return row(id, 'closed', IDLE_AGENT, index % 5);
  const status = part < CLOSED ? 'closed' : part < 0.97 ? 'open' : 'in_progress';
  return row(id, status, PEOPLE[index % PEOPLE.length] ?? '', index % 5);
}

function row(id: string, status: string, assignee: string, priority: number): string[] {
  return [id, `Bead ${id}`, status, assignee, String(priority), DESCRIPTION, '', 'It works.', ''];
}

async function insert(
  tracker: Tracker,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += BATCH) {
    await tracker.sql(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ?`, [
      rows.slice(from, from + BATCH),
    ]);
  }
}
