import { setTimeout as pause } from 'node:timers/promises';

import { v7 as uuidv7 } from 'uuid';

import type { ToCloudEvent } from '../../events/to-cloud-event.ts';
import { DatabaseUnreachableError, TransitionContendedError } from '../../runtime/errors.ts';
import { parseBead } from '../rows/bead.ts';
import { FORBIDDEN, intentKey } from '../rows/intent.ts';
import { INSERT_LOCAL_SQL } from '../rows/local-metadata.ts';
import { checkRow, IS_LARGE, oneRow, statementsFor } from '../rows/statements.ts';
import type { SchemaCache } from '../schema/schema-cache.ts';
import type { Schema } from '../schema/schema.ts';
import type { Connection, Statement } from '../sql/connection.ts';
import { ConflictError, DuplicateKeyError } from '../sql/sql-error.ts';
import { fromSqlTime } from '../sql/time.ts';
import type { Transition, TransitionResult } from './change.ts';
import { commitMessage } from './commit-message.ts';
import { journalUpdate } from './journal.ts';
import { planStatements, type PlannedRow } from './plan-statements.ts';

/** One retry was enough for 9,799 of 9,799 losers of a 50-way race; the rest is for hot rows. */
const MAX_CONFLICTS = 8;
/** Losers wait 5–50 ms, so that they do not meet again. */
const CONFLICT_MIN_MS = 5;
const CONFLICT_SPREAD_MS = 45;
/**
 * A Dolt server that restarts is back within this; what came of a POST must not be lost to that.
 */
const OUTAGE_MS = 20_000;
const OUTAGE_STEP_MS = 250;

/**
 * The one way in which these functions change a bead: a transaction that reads the row, asks the
 * transition what to do, and writes row, `events` row and Dolt commit together, under a fresh
 * token. A lost race is read and planned again; after a broken connection the token tells whether
 * the commit had arrived.
 *
 * It writes what `bd update -s <status> --append-notes <note>` would write, with our token as the
 * one addition (compared with what bd writes by test/conformance.test.ts, docs/conformance.md).
 *
 * @returns what was written, or why nothing was.
 * @throws {TransitionContendedError} other writers were faster every time; nothing was written.
 * @throws {DatabaseUnreachableError} the server stayed away; what was written is unknown.
 */
export async function runTransition(
  connection: Connection,
  schema: SchemaCache,
  toCloudEvent: ToCloudEvent,
  wanted: Transition,
): Promise<TransitionResult> {
  const run = new TransitionRun(wanted, toCloudEvent);
  const giveUpAt = performance.now() + OUTAGE_MS;
  let conflicts = 0;
  let isBroken = false;
  for (;;) {
    try {
      if (isBroken) await connection.reconnect();
      return await schema.use(connection, (current) => run.try(connection, current));
    } catch (error) {
      if (error instanceof ConflictError && conflicts < MAX_CONFLICTS) {
        conflicts += 1;
        isBroken = false;
        await pause(CONFLICT_MIN_MS + Math.random() * CONFLICT_SPREAD_MS);
      } else if (error instanceof DatabaseUnreachableError && performance.now() < giveUpAt) {
        isBroken = true;
        await pause(OUTAGE_STEP_MS);
      } else {
        return await giveUp(connection, wanted, error);
      }
    }
  }
}

const LABELS_SQL = 'SELECT label FROM labels WHERE issue_id = ? ORDER BY label';
const IS_WRITTEN_SQL = 'SELECT 1 FROM events WHERE id = ?';
const COMMIT_SQL = "CALL DOLT_COMMIT('-m', ?, '--author', ?)";

/** One transition over all its tries; ids are made once, so that a repeated try is the same one. */
class TransitionRun {
  readonly #wanted: Transition;
  readonly #toCloudEvent: ToCloudEvent;
  readonly #ids: string[] = [];
  #isRepeated = false;
  #sent: Extract<TransitionResult, { done: true }> | undefined;

  constructor(wanted: Transition, toCloudEvent: ToCloudEvent) {
    this.#wanted = wanted;
    this.#toCloudEvent = toCloudEvent;
  }

  /** @param schema as it is now; it may be another one than that of an earlier try. */
  async try(connection: Connection, schema: Schema): Promise<TransitionResult> {
    const { beadId, token, lock } = this.#wanted;
    if (this.#isRepeated) await connection.query('ROLLBACK');
    this.#isRepeated = true;
    const { readToWrite, readLarge } = statementsFor(schema);
    const before: Statement[] = [['START TRANSACTION'], [LABELS_SQL, [beadId]]];
    if (lock !== undefined) before.unshift(connection.lock(lock));
    const answers = await connection.batch([...before, ...readToWrite(beadId)]);
    const labels = (answers[before.length - 1] ?? []).map(({ label }) => String(label));
    const row =
      oneRow(answers.slice(before.length)) ?? oneRow(await connection.batch(readLarge(beadId)));
    if (row === undefined) return { ...(await leave(connection, 'it is gone')), isGone: true };
    checkRow(row, schema, connection.describe());
    const parsed = parseBead(row);
    if (!parsed.ok) return await leave(connection, parsed.problem);
    // Of an earlier try only the answer was lost.
    if (this.#sent !== undefined && (await connection.query(IS_WRITTEN_SQL, [token])).length > 0) {
      await connection.query('ROLLBACK');
      return this.#sent;
    }
    const { bead } = parsed;
    const now = fromSqlTime(String(row['server_time'])) ?? new Date(Number.NaN);
    const plan = this.#wanted.plan(bead, now);
    if ('leave' in plan) return await leave(connection, plan.leave);
    return await this.#commit(connection, schema, { row, labels, bead, plan, now });
  }

  async #commit(
    connection: Connection,
    schema: Schema,
    planned: PlannedRow,
  ): Promise<TransitionResult> {
    const { actor, message, token } = this.#wanted;
    const { row, labels, bead, plan } = planned;
    const idOf = (index: number, count: number) => this.#idOf(index, count);
    const { writes, events } = planStatements(
      this.#wanted,
      planned,
      schema,
      this.#toCloudEvent,
      idOf,
    );
    this.#sent = { done: true, bead, events };
    if (plan.intent !== undefined && 'forbid' in plan.intent) {
      const isFree = await forbid(connection, plan.intent.forbid);
      if (!isFree) return await leave(connection, 'the claimer itself was faster');
    }
    if (Number(row['is_journaled']) === 1) {
      const { readLarge, readToWrite } = statementsFor(schema);
      const read = IS_LARGE in row ? readLarge(bead.id) : readToWrite(bead.id);
      const answers = await connection.batch([...writes.splice(0), ...read]);
      const written = oneRow(answers.slice(-read.length)) ?? {};
      writes.push(...journalUpdate(written, labels, schema.hasJournalActor ? actor : undefined));
    }
    await connection.batch([...writes, [statementsFor(schema).add]]);
    await connection.query(COMMIT_SQL, [
      commitMessage(message, token, this.#toCloudEvent.traceId),
      `${actor} <beads@local>`,
    ]);
    // Without this the connection stays in a transaction that DOLT_COMMIT has opened, and every
    // later read on it comes from that snapshot.
    await connection.query('COMMIT');
    return this.#sent;
  }

  /** Every event has its id from the first try on; the last one has the token. */
  #idOf(index: number, count: number): string {
    if (index === count - 1) return this.#wanted.token;
    return (this.#ids[index] ??= uuidv7());
  }
}

async function leave(connection: Connection, reason: string) {
  await connection.query('ROLLBACK');
  return { done: false as const, reason };
}

/** @returns false if the claimer has already recorded its intent. */
async function forbid(connection: Connection, token: string): Promise<boolean> {
  try {
    await connection.query(INSERT_LOCAL_SQL, [intentKey(token), FORBIDDEN]);
    return true;
  } catch (error) {
    if (error instanceof DuplicateKeyError) return false;
    throw error;
  }
}

async function giveUp(
  connection: Connection,
  wanted: Transition,
  error: unknown,
): Promise<TransitionResult> {
  // The connection may be used for the next bead; where this fails it is broken anyway.
  await connection.query('ROLLBACK').catch(() => undefined);
  if (error instanceof ConflictError) {
    throw new TransitionContendedError(
      `bead ${wanted.beadId}: other writers were faster ${MAX_CONFLICTS} times, so "${wanted.message}" was not written`,
      { cause: error },
    );
  }
  throw error;
}
