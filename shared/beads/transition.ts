import { setTimeout as pause } from 'node:timers/promises';

import { v7 as uuidv7 } from 'uuid';

import type { AuditEvent, Fact } from '../audit/event-types.ts';
import { DatabaseUnreachableError } from '../errors.ts';
import { issueJson, updateJson } from './bd-json.ts';
import { parseBead, type Bead } from './bead.ts';
import { DELETE_INTENT_SQL, forbidden, INSERT_INTENT_SQL, intentKey } from './intent.ts';
import { appendNote } from './notes.ts';
import type { Schema } from './schema.ts';
import { ConflictError, DuplicateKeyError, type Row, type Session } from './session.ts';
import { formatStep, STEP_KEY, type StepName } from './step.ts';
import { fromSqlTime, toSqlTime } from './time.ts';

/**
 * The one way in which these functions change a bead: a transaction that reads the row, asks the plan
 * what to do, and writes row, `events` row and Dolt commit together, under a fresh token.
 *
 * It writes what `bd update -s <status> --append-notes <note>` would write, with our token as the one
 * addition (checked against bd 1.0.2 and 1.0.5 by test/real-bd.test.ts).
 */

export type Status = 'open' | 'in_progress' | 'blocked';

/** One logical change, as one bd command would make it: one note, one `events` row, one event. */
export interface Change {
  /** `undefined` leaves the status as it is. */
  to?: Status;
  note: string;
  fact: Fact;
}

/** What to do with the row as it is now, or why to leave it alone. */
export type Verdict =
  | {
      changes: readonly [Change, ...Change[]];
      step: StepName;
      /** Kept in the step cell beside the token. */
      about?: string;
      /** `forget` removes the bead's intent to post, `forbid` makes sure that there will be none. */
      intent?: 'forget' | 'forbid';
    }
  | { leave: string };

export interface Transition {
  beadId: string;
  /** Fresh and unique; the id of the last `events` row and CloudEvent, and what the row will carry. */
  token: string;
  /** Who bd says it was. */
  actor: string;
  /** Message of the Dolt commit, for example `dispatch: claim code-a1`. */
  message: string;
  /** Pure; called again, with the row as it then is, when another writer was faster. */
  decide(bead: Bead, now: Date): Verdict;
}

export type Outcome =
  { done: true; bead: Bead; events: AuditEvent[] } | { done: false; reason: string };

/** One retry was enough for 9,799 of 9,799 losers of a 50-way race; the rest is for hot rows. */
const MAX_TRIES = 8;
/** Losers wait 5–50 ms, so that they do not meet again. */
const RETRY_MIN_MS = 5;
const RETRY_SPREAD_MS = 45;

const READ_SQL = `
  SELECT *, UTC_TIMESTAMP(6) AS server_time,
         JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${STEP_KEY}')) AS step
    FROM issues WHERE id = ?`;
const LABELS_SQL = 'SELECT label FROM labels WHERE issue_id = ? ORDER BY label';
const UPDATE_SQL = `
  UPDATE issues
     SET status = ?, notes = ?, updated_at = ?, started_at = ?,
         metadata = JSON_SET(COALESCE(metadata, JSON_OBJECT()), '$.${STEP_KEY}', ?)
   WHERE id = ?`;
const EVENT_SQL = `
  INSERT INTO events (id, issue_id, event_type, actor, old_value, new_value)
  VALUES (?, ?, ?, ?, ?, ?)`;
const ADD_SQL = "CALL DOLT_ADD('issues', 'events')";
const COMMIT_SQL = "CALL DOLT_COMMIT('-m', ?, '--author', ?)";

/**
 * Carries a transition out, exactly once: a lost race is read and decided anew, and after a broken
 * connection the token in the row tells whether the commit had arrived.
 *
 * @returns what was written, or why nothing was.
 * @throws {DatabaseUnreachableError} the server stayed away; what was written is unknown.
 */
export async function transition(
  session: Session,
  schema: Schema,
  wanted: Transition,
): Promise<Outcome> {
  const attempt = new Attempt(wanted, schema);
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    try {
      return await attempt.run(session);
    } catch (error) {
      if (error instanceof DuplicateKeyError) {
        await session.query('ROLLBACK');
        return { done: false, reason: 'another tick or the claimer itself was faster' };
      }
      if (error instanceof ConflictError) {
        await session.query('ROLLBACK');
        await pause(RETRY_MIN_MS + Math.random() * RETRY_SPREAD_MS);
      } else if (error instanceof DatabaseUnreachableError && tries < MAX_TRIES) {
        await session.reconnect();
      } else {
        await session.query('ROLLBACK').catch(() => session.reconnect());
        throw error;
      }
    }
  }
  return { done: false, reason: `other writers were faster ${MAX_TRIES} times` };
}

/** One transition over all its tries; ids are minted once, so that a repeated try is the same one. */
class Attempt {
  readonly #wanted: Transition;
  readonly #schema: Schema;
  readonly #ids: string[] = [];
  #sent: Extract<Outcome, { done: true }> | undefined;

  constructor(wanted: Transition, schema: Schema) {
    this.#wanted = wanted;
    this.#schema = schema;
  }

  async run(session: Session): Promise<Outcome> {
    const { beadId, token, actor, message } = this.#wanted;
    await session.query('START TRANSACTION');
    const row = (await session.query(READ_SQL, [beadId]))[0];
    if (row === undefined) return await this.#leave(session, 'it is gone');
    const parsed = parseBead(row);
    if (!parsed.ok) return await this.#leave(session, parsed.problem);
    const { bead } = parsed;
    if (this.#sent !== undefined && bead.step?.token === token) {
      await session.query('ROLLBACK');
      return this.#sent;
    }
    const now = fromSqlTime(String(row['server_time'])) ?? new Date(Number.NaN);
    const verdict = this.#wanted.decide(bead, now);
    if ('leave' in verdict) return await this.#leave(session, verdict.leave);

    const labels = (await session.query(LABELS_SQL, [beadId])).map(({ label }) => String(label));
    const { after, entries } = this.#write(row, labels, verdict.changes, now);
    const { step: name, about, intent } = verdict;
    const step = formatStep({ name, token, ...(about === undefined ? {} : { about }) });
    this.#sent = {
      done: true,
      bead,
      events: entries.map(({ id, change }) => ({ ...change.fact, id, subject: beadId, at: now })),
    };
    await session.query(UPDATE_SQL, [
      after.status,
      after.notes,
      after.updated_at,
      after.started_at,
      step,
      beadId,
    ]);
    for (const { id, type, oldValue, newValue } of entries) {
      await session.query(EVENT_SQL, [id, beadId, type, actor, oldValue, newValue]);
    }
    if (intent === 'forget') await session.query(DELETE_INTENT_SQL, [intentKey(beadId)]);
    if (intent === 'forbid') {
      await session.query(INSERT_INTENT_SQL, [intentKey(beadId), forbidden(token)]);
    }
    await session.query(ADD_SQL);
    await session.query(COMMIT_SQL, [message, `${actor} <beads@local>`]);
    // Without this the session stays in a transaction that DOLT_COMMIT has opened anew, and every
    // later read on the connection comes from that snapshot.
    await session.query('COMMIT');
    return this.#sent;
  }

  async #leave(session: Session, reason: string): Promise<Outcome> {
    await session.query('ROLLBACK');
    return { done: false, reason };
  }

  /** Applies the changes to the row one after the other and says what bd would record of each. */
  #write(row: Row, labels: readonly string[], changes: readonly Change[], now: Date) {
    const time = toSqlTime(now);
    const after = {
      status: String(row['status']),
      notes: String(row['notes']),
      updated_at: String(row['updated_at']),
      started_at: row['started_at'] === null ? null : String(row['started_at']),
    };
    const entries = changes.map((change, index) => {
      const oldValue = issueJson({ ...row, ...after }, labels);
      after.notes = appendNote(after.notes, change.note);
      after.updated_at = time;
      if (change.to !== undefined) after.status = change.to;
      if (change.to === 'in_progress') after.started_at ??= time;
      const status = change.to === undefined ? undefined : { status: change.to };
      if (index < changes.length - 1) this.#ids[index] ??= uuidv7();
      return {
        id: this.#ids[index] ?? this.#wanted.token,
        change,
        type: status === undefined ? 'updated' : 'status_changed',
        oldValue: this.#fit(oldValue, { id: String(row['id']), status: String(row['status']) }),
        newValue: this.#fit(updateJson({ notes: after.notes, ...status }), {
          notes: change.note,
          ...status,
        }),
      };
    });
    return { after, entries };
  }

  /** bd 1.0.2 holds event values in TEXT; what does not fit is told in short. */
  #fit(json: string, short: Readonly<Record<string, string>>): string {
    return Buffer.byteLength(json) <= this.#schema.textBytes ? json : updateJson(short);
  }
}
