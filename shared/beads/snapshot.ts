import { parseBead, type Bead } from './rows/bead.ts';
import {
  failuresOf,
  failuresStatement,
  missesOf,
  MISSES_STATEMENT,
  NO_FAILURES,
  NO_MISSES,
  type Failures,
  type Misses,
} from './rows/history.ts';
import { followUpsOf, FOLLOW_UPS_STATEMENT, type FollowUps } from './rows/follow-up.ts';
import { isOldIntent } from './rows/intent.ts';
import type { SnapshotCache, CachedRows } from './snapshot-cache.ts';
import { outboxStateOf, type OutboxState } from './rows/outbox.ts';
import { checkMigrations } from './schema/migrations.ts';
import type { Schema } from './schema/schema.ts';
import type { Row, Connection } from './sql/connection.ts';
import { statementsFor } from './rows/statements.ts';
import { fromSqlTime } from './sql/time.ts';

/**
 * The one read of a tick: all beads of the sentinel that are open or in progress, or what the last
 * snapshot had when nothing has changed since. For open ones another round trip asks what they wait
 * for and what failed before.
 */

/** Why bd would not call a bead ready, as far as its own row does not tell. */
export type BlockedBy = 'blocker' | 'deferred-parent' | 'full-notes';

/** A claim, a failure of 500 characters of up to 4 bytes, and a block must fit. */
const NOTES_ROOM_BYTES = 2_300;

/** An open bead with all that a decision about it needs. */
export interface Candidate {
  bead: Bead;
  blockedBy: BlockedBy | undefined;
  failures: Failures;
}

export interface BadRow {
  id: string;
  problem: string;
}

export interface Snapshot {
  /** The database's clock. */
  now: Date;
  outbox: OutboxState;
  /** There are intents of claims that may have ended without one. */
  hasOldIntents: boolean;
  open: Candidate[];
  inProgress: Bead[];
  followUps: FollowUps;
  /** What failed last, over all beads; not read when no bead is open. */
  misses: Misses;
  /** Rows that do not parse; they are skipped, and the tick continues. */
  badRows: BadRow[];
}

/**
 * @param sentinel the assignee whose beads are read.
 * @param cache what this process last read for that assignee.
 */
export async function readSnapshot(
  connection: Connection,
  schema: Schema,
  sentinel: string,
  cache: SnapshotCache,
): Promise<Snapshot> {
  const {
    tick,
    beads: rows,
    followUps,
  } = await cache.read(connection, schema, async () => read(connection, schema, sentinel));
  const beads: Bead[] = [];
  const badRows: BadRow[] = [];
  for (const row of rows) {
    const parsed = parseBead(row);
    if (parsed.ok) beads.push(parsed.bead);
    else badRows.push({ id: parsed.id, problem: parsed.problem });
  }
  const open = beads.filter(({ status }) => status === 'open');
  const history = await readHistory(connection, schema, open);
  const blockedByOf = ({ id, isBlocked, notesBytes }: Bead): BlockedBy | undefined => {
    if (history.deferred.has(id)) return 'deferred-parent';
    if (isBlocked || history.ready?.has(id) === false) return 'blocker';
    return notesBytes + NOTES_ROOM_BYTES > schema.textBytes ? 'full-notes' : undefined;
  };
  const now = fromSqlTime(String(tick['server_time'])) ?? new Date(Number.NaN);
  return {
    now,
    hasOldIntents: isOldIntent(tick['oldest_intent'], now),
    outbox: outboxStateOf(tick['oldest_unsent'] ?? null, tick['parked'] ?? '0'),
    open: open.map((bead) => ({
      bead,
      blockedBy: blockedByOf(bead),
      failures: history.failures.get(bead.id) ?? NO_FAILURES,
    })),
    misses: history.misses,
    inProgress: beads.filter(({ status }) => status === 'in_progress'),
    followUps: followUpsOf(followUps),
    badRows,
  };
}

async function read(connection: Connection, schema: Schema, sentinel: string): Promise<CachedRows> {
  const { tick, beads } = statementsFor(schema);
  const [, [row = {}] = [], rows = [], followUps = []] = await connection.batch([
    ['START TRANSACTION'],
    [tick],
    [beads, [sentinel]],
    FOLLOW_UPS_STATEMENT,
    ['COMMIT'],
  ]);
  checkMigrations(row['migrations'], schema, connection.describe());
  return { tick: row, beads: rows, followUps };
}

/** What the rows of open beads do not tell. */
interface History {
  /** Ids of those with a parent that is deferred. */
  deferred: ReadonlySet<unknown>;
  /**
   * Ids of those that are ready: bd 1.0.2 has no `is_blocked`, but its own view knows blockers and
   * what children inherit of them. `undefined` where the rows tell.
   */
  ready: ReadonlySet<unknown> | undefined;
  failures: ReadonlyMap<string, Failures>;
  misses: Misses;
}

async function readHistory(
  connection: Connection,
  schema: Schema,
  open: readonly Bead[],
): Promise<History> {
  if (open.length === 0) {
    return { deferred: new Set(), ready: undefined, failures: new Map(), misses: NO_MISSES };
  }
  const ids = open.map(({ id }) => id);
  const statements = statementsFor(schema);
  const tried = open.filter(({ wasTried }) => wasTried).map(({ id }) => id);
  const [deferred = [], misses = [], ...rest] = await connection.batch([
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
