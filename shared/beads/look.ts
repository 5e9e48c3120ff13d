import { parseBead, type Bead } from './bead.ts';
import {
  failuresOf,
  failuresStatement,
  missesOf,
  MISSES_STATEMENT,
  NO_FAILURES,
  NO_MISSES,
  type Failures,
  type Misses,
} from './history.ts';
import { isOldIntent } from './intent.ts';
import type { LastSeen, Seen } from './last-seen.ts';
import { outboxStateOf, type OutboxState } from './outbox.ts';
import { checkMigrations } from './migrations.ts';
import type { Schema } from './schema.ts';
import type { Row, Session } from './session.ts';
import { statementsFor } from './statements.ts';
import { fromSqlTime } from './time.ts';

/**
 * The one read of a tick: all beads of the sentinel that are open or in progress, or what the last look saw
 * when nothing has changed since. For open ones another round trip asks what they wait for and what failed
 * before.
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
  outbox: OutboxState;
  /** There are intents of claims that may have ended without one. */
  hasOldIntents: boolean;
  open: Candidate[];
  inProgress: Bead[];
  /** What failed last, over all beads; not read when no bead is open. */
  misses: Misses;
  /** Rows that do not parse; they are skipped, and the tick goes on. */
  bad: BadRow[];
}

/**
 * @param sentinel the assignee whose beads are looked at.
 * @param last what this process saw when it last looked for that assignee.
 */
export async function look(
  session: Session,
  schema: Schema,
  sentinel: string,
  last: LastSeen,
): Promise<Look> {
  const { tick, beads: rows } = await last.read(session, schema, async () =>
    read(session, schema, sentinel),
  );
  const beads: Bead[] = [];
  const bad: BadRow[] = [];
  for (const row of rows) {
    const parsed = parseBead(row);
    if (parsed.ok) beads.push(parsed.bead);
    else bad.push({ id: parsed.id, problem: parsed.problem });
  }
  const open = beads.filter(({ status }) => status === 'open');
  const history = await readHistory(session, schema, open);
  const waitingOf = ({ id, isBlocked, notesBytes }: Bead): Waiting | undefined => {
    if (history.deferred.has(id)) return 'parent-deferred';
    if (isBlocked || history.ready?.has(id) === false) return 'blocked';
    return notesBytes + NOTES_ROOM_BYTES > schema.textBytes ? 'notes-full' : undefined;
  };
  const now = fromSqlTime(String(tick['server_time'])) ?? new Date(Number.NaN);
  return {
    now,
    hasOldIntents: isOldIntent(tick['oldest_intent'], now),
    outbox: outboxStateOf(tick['oldest_unsent'] ?? null, tick['parked'] ?? '0'),
    open: open.map((bead) => ({
      bead,
      waiting: waitingOf(bead),
      failures: history.failures.get(bead.id) ?? NO_FAILURES,
    })),
    misses: history.misses,
    inProgress: beads.filter(({ status }) => status === 'in_progress'),
    bad,
  };
}

async function read(session: Session, schema: Schema, sentinel: string): Promise<Seen> {
  const { tick, beads } = statementsFor(schema);
  const [, [seen = {}] = [], rows = []] = await session.batch([
    ['START TRANSACTION'],
    [tick],
    [beads, [sentinel]],
    ['COMMIT'],
  ]);
  checkMigrations(seen['migrations'], schema, session.describe());
  return { tick: seen, beads: rows };
}

/** What the rows of open beads do not tell. */
interface History {
  /** Ids of those with a parent that is deferred. */
  deferred: ReadonlySet<unknown>;
  /**
   * Ids of those that are ready: bd 1.0.2 has no `is_blocked`, but its own view knows blockers and what
   * children inherit of them. `undefined` where the rows tell.
   */
  ready: ReadonlySet<unknown> | undefined;
  failures: ReadonlyMap<string, Failures>;
  misses: Misses;
}

async function readHistory(
  session: Session,
  schema: Schema,
  open: readonly Bead[],
): Promise<History> {
  if (open.length === 0) {
    return { deferred: new Set(), ready: undefined, failures: new Map(), misses: NO_MISSES };
  }
  const ids = open.map(({ id }) => id);
  const statements = statementsFor(schema);
  const tried = open.filter(({ wasTried }) => wasTried).map(({ id }) => id);
  const [deferred = [], misses = [], ...rest] = await session.batch([
    [statements.childrenOfDeferred, [ids]],
    MISSES_STATEMENT,
    ...(tried.length === 0 ? [] : [failuresStatement(tried)]),
    ...(statements.ready === undefined ? [] : [[statements.ready, [ids]] as const]),
  ]);
  const failures = tried.length === 0 ? [] : (rest.shift() ?? []);
  const [ready] = rest;
  return {
    deferred: idsIn(deferred),
    ready: ready && idsIn(ready),
    failures: failuresOf(failures),
    misses: missesOf(misses),
  };
}

const idsIn = (rows: readonly Row[]) => new Set(rows.map(({ id }) => id));
