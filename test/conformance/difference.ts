import { MARKER_KEY } from '../../shared/beads/rows/claim-marker.ts';
import type { Snapshot, SnapshotRow } from './snapshot.ts';

/**
 * What one change made of a database, cell by cell, in a form in which two databases can be
 * compared: ids, times, random numbers and the token of these functions are replaced by what they
 * are.
 */
export type Trace = ReadonlyMap<string, readonly string[]>;

/** Names of beads by their id, such as `<bead>`. */
export type Names = ReadonlyMap<string, string>;

const TIME = /\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?/g;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
/**
 * Where a JSON of the whole bead shows our key in its metadata, which the cell itself shows
 * already.
 */
const OUR_METADATA = new RegExp(
  `,"metadata":{"${MARKER_KEY}":"[^"]*"}|"${MARKER_KEY}":"[^"]*",?`,
  'g',
);
/** Of a commit, in Dolt's base 32. */
const DOLT_HASH = /\b[0-9a-v]{32}\b/g;
/** What `bd doctor` prints of a project's id. */
const FINGERPRINT = /Verified \([0-9a-f]{8}\)/g;
const RANDOM_CELLS = new Set(['row_lock', 'revision']);

export function traceOf(before: Snapshot, after: Snapshot, names: Names): Trace {
  const trace = new Map<string, string[]>();
  const note = (where: string, what: string) => {
    trace.set(where, [...(trace.get(where) ?? []), what]);
  };
  const eventTime = newestEventTime(before, after);
  for (const [table, rows] of after.tables) {
    const old = before.tables.get(table) ?? new Map<string, SnapshotRow>();
    const added = [...rows].filter(([key]) => !old.has(key));
    // Each row has the whole bead, so that only the last one counts.
    const isJournal = table === 'bd_events_journal';
    if (isJournal && added.length > 0) note(`rows of ${table}`, String(added.length));
    for (const [key, row] of isJournal ? added.slice(-1) : rows) {
      const was = old.get(key);
      for (const [column, value] of Object.entries(row)) {
        if (was !== undefined && was[column] === value) continue;
        const cell = { table, column, value, isNew: was === undefined };
        note(`${table}.${column}`, describeCell(cell, names, eventTime));
      }
    }
    for (const [key, row] of old) {
      if (rows.has(key)) continue;
      for (const [column, value] of Object.entries(row)) {
        note(`${table}.${column}`, `- ${plain(value ?? 'NULL', names)}`);
      }
    }
  }
  const known = new Set(before.commits.map(({ hash }) => hash));
  const commits = after.commits.filter(({ hash }) => !known.has(hash));
  note('commits', String(commits.length));
  for (const { message, author } of commits) {
    note('commit message', plain(message, names));
    note('commit author', author);
  }
  note('not committed', after.dirty.join(', '));
  return new Map([...trace].map(([where, what]) => [where, what.toSorted()]));
}

interface Cell {
  table: string;
  column: string;
  value: string | null;
  isNew: boolean;
}

function describeCell({ table, column, value, isNew }: Cell, names: Names, eventTime: number) {
  const sign = isNew ? '+' : '→';
  if (value === null) return `${sign} NULL`;
  if (RANDOM_CELLS.has(column)) return `${sign} ${value === '0' ? '0' : '<random>'}`;
  if (column === 'seq' || column === 'next_seq') return `${sign} <number>`;
  if (column === 'updated_at') {
    const isBefore = Date.parse(`${value.replace(' ', 'T')}Z`) < eventTime;
    return `${sign} <time>, ${isBefore ? 'a second before the event' : "the event's second or the next"}`;
  }
  if (table === 'issues' && column === 'metadata') {
    return `${sign} ${value.replace(/:[0-9a-f-]{36}/g, ':<token>')}`;
  }
  return `${sign} ${plain(value.replace(OUR_METADATA, '').replace(',"metadata":{}', ''), names)}`;
}

/** Text without what differs from run to run. */
export function plain(text: string, names: Names): string {
  let known = text;
  for (const [id, name] of names) known = known.replaceAll(id, name);
  return known
    .replace(UUID, '<uuid v$1>')
    .replace(TIME, '<time>')
    .replace(DOLT_HASH, '<hash>')
    .replace(FINGERPRINT, 'Verified (<hash>)');
}

/** JSON that bd printed, without our key in the metadata, as sorted lines. */
export function plainJson(json: string, names: Names): string[] {
  const without = (key: string, value: unknown): unknown => {
    if (key === 'revision') return '<random>';
    if (key !== 'metadata' || typeof value !== 'object' || value === null) return value;
    const others = Object.entries(value).filter(([name]) => name !== MARKER_KEY);
    return others.length === 0 ? undefined : Object.fromEntries(others);
  };
  const parsed: unknown = JSON.parse(json);
  const clean: unknown = JSON.parse(JSON.stringify(parsed), (key, value: unknown) =>
    without(key, value),
  );
  return plain(JSON.stringify(clean, null, 1), names)
    .split('\n')
    .map((line) => line.replace(/,$/, ''))
    .toSorted();
}

function newestEventTime(before: Snapshot, after: Snapshot): number {
  const known = before.tables.get('events');
  const times = [...(after.tables.get('events') ?? [])]
    .filter(([key]) => known?.has(key) !== true)
    .map(([, row]) => Date.parse(`${String(row['created_at']).replace(' ', 'T')}Z`));
  return Math.max(...times, 0);
}

/** Where two traces differ, and how. */
export function compare(theirs: Trace, ours: Trace): Map<string, { bd: string; ours: string }> {
  const places = new Set([...theirs.keys(), ...ours.keys()]);
  const differing = [...places].filter(
    (where) => JSON.stringify(theirs.get(where)) !== JSON.stringify(ours.get(where)),
  );
  const tell = (trace: Trace, where: string) => trace.get(where)?.join(' | ') ?? 'untouched';
  return new Map(
    differing
      .toSorted()
      .map((where) => [where, { bd: tell(theirs, where), ours: tell(ours, where) }]),
  );
}
