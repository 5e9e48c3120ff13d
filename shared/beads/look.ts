import { parseBead, type Bead } from './bead.ts';
import {
  NO_FAILURES,
  NO_MISSES,
  readFailures,
  readMisses,
  type Failures,
  type Misses,
} from './history.ts';
import { recordedAt } from './outbox.ts';
import { checkMigrations } from './migrations.ts';
import type { Schema } from './schema.ts';
import type { Row, Session } from './session.ts';
import { statementsFor } from './statements.ts';
import { fromSqlTime } from './time.ts';

/**
 * The one read of a tick: all beads of the sentinel that are open or in progress. When none is open
 * that is the only query; else three more ask what the open ones wait for and what failed before.
 */

/** Why bd would not call a bead ready, as far as a row of its own does not tell. */
export type Waiting = 'blocked' | 'parent-deferred' | 'notes-full';

/** A claim, a failure of 500 characters of up to 4 bytes, and a block must fit. */
const NOTES_ROOM_BYTES = 2_300;

/** An open bead with all that a decision about it needs. */
export interface Candidate {
  bead: Bead;
  waiting: Waiting | undefined;
  failures: Failures;
}

export interface BadRow {
  id: string;
  problem: string;
}

export interface Look {
  /** The database's clock. */
  now: Date;
  /** Since when an event has waited in the outbox; `undefined` when none does. */
  unsentSince: Date | undefined;
  open: Candidate[];
  inProgress: Bead[];
  /** What failed last, over all beads; not read when no bead is open. */
  misses: Misses;
  /** Rows that do not parse; they are skipped, and the tick goes on. */
  bad: BadRow[];
}

/** @param sentinel the assignee whose beads are looked at. */
export async function look(session: Session, schema: Schema, sentinel: string): Promise<Look> {
  const answer = await session.query(statementsFor(schema).look, [sentinel]);
  checkMigrations(answer[0]?.['migrations'], schema, session.describe());
  const unsent = answer[0]?.['oldest_unsent'];
  const rows = answer.filter(({ id }) => id !== null);
  const beads: Bead[] = [];
  const bad: BadRow[] = [];
  for (const row of rows) {
    const parsed = parseBead(row);
    if (parsed.ok) beads.push(parsed.bead);
    else bad.push({ id: parsed.id, problem: parsed.problem });
  }
  const blocked = new Set(rows.filter(isBlocked).map((row) => String(row['id'])));
  const open = beads.filter(({ status }) => status === 'open');
  return {
    now: fromSqlTime(String(answer[0]?.['server_time'])) ?? new Date(Number.NaN),
    unsentSince: unsent === null || unsent === undefined ? undefined : recordedAt(String(unsent)),
    open: await withHistory(session, schema, open, blocked),
    misses: open.length === 0 ? NO_MISSES : await readMisses(session),
    inProgress: beads.filter(({ status }) => status === 'in_progress'),
    bad,
  };
}

async function withHistory(
  session: Session,
  schema: Schema,
  open: readonly Bead[],
  blocked: Set<string>,
): Promise<Candidate[]> {
  if (open.length === 0) return [];
  const ids = open.map(({ id }) => id);
  const { ready, childrenOfDeferred } = statementsFor(schema);
  if (ready !== undefined) await addBlockedByView(session, ready, ids, blocked);
  const deferred = new Set((await session.query(childrenOfDeferred, [ids])).map(({ id }) => id));
  const failures = await readFailures(session, ids);
  const waitingOf = (bead: Bead): Waiting | undefined => {
    if (deferred.has(bead.id)) return 'parent-deferred';
    if (blocked.has(bead.id)) return 'blocked';
    return bead.notesBytes + NOTES_ROOM_BYTES > schema.textBytes ? 'notes-full' : undefined;
  };
  return open.map((bead) => ({
    bead,
    waiting: waitingOf(bead),
    failures: failures.get(bead.id) ?? NO_FAILURES,
  }));
}

/** bd 1.0.2 has no `is_blocked`; its own view knows blockers and what children inherit of them. */
async function addBlockedByView(
  session: Session,
  readySql: string,
  ids: readonly string[],
  blocked: Set<string>,
): Promise<void> {
  const rows = await session.query(readySql, [ids]);
  const ready = new Set(rows.map(({ id }) => id));
  for (const id of ids) if (!ready.has(id)) blocked.add(id);
}

const isBlocked = (row: Row) => row['is_blocked'] !== null && Number(row['is_blocked']) !== 0;
