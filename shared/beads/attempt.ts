import { v7 as uuidv7 } from 'uuid';

import type { Envelope } from '../audit/envelope.ts';
import { canHoldStep, parseBead, type Bead } from './bead.ts';
import { FORBIDDEN, intentKey } from './intent.ts';
import { journalUpdate } from './journal.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from './local-metadata.ts';
import { outboxKeys } from './outbox.ts';
import { IS_LARGE, record } from './record.ts';
import type { Schema } from './schema.ts';
import type { Row, Session, Statement } from './session.ts';
import { DuplicateKeyError } from './sql-error.ts';
import { checkRow, oneRow, statementsFor, updateValues, withoutForeignKeys } from './statements.ts';
import { formatStep } from './step.ts';
import { fromSqlTime } from './time.ts';
import type { Outcome, Transition, Verdict } from './transition.ts';

const LABELS_SQL = 'SELECT label FROM labels WHERE issue_id = ? ORDER BY label';
const EVENT_SQL = `
  INSERT INTO events (id, issue_id, event_type, actor, old_value, new_value)
  VALUES (?, ?, ?, ?, ?, ?)`;
const IS_WRITTEN_SQL = 'SELECT 1 FROM events WHERE id = ?';
const COMMIT_SQL = "CALL DOLT_COMMIT('-m', ?, '--author', ?)";

/** One transition over all its tries; ids are minted once, so that a repeated try is the same one. */
export class Attempt {
  readonly #wanted: Transition;
  readonly #envelope: Envelope;
  readonly #ids: string[] = [];
  #isRepeated = false;
  #sent: Extract<Outcome, { done: true }> | undefined;

  /** @param envelope what the outbox keeps of an event. */
  constructor(wanted: Transition, envelope: Envelope) {
    this.#wanted = wanted;
    this.#envelope = envelope;
  }

  /** @param schema as it is now; it may be another one than that of an earlier try. */
  async run(session: Session, schema: Schema): Promise<Outcome> {
    const { beadId, token, lock } = this.#wanted;
    if (this.#isRepeated) await session.query('ROLLBACK');
    this.#isRepeated = true;
    const { readToWrite, readLarge } = statementsFor(schema);
    const read = readToWrite(beadId);
    const before: Statement[] = [['START TRANSACTION'], [LABELS_SQL, [beadId]]];
    if (lock !== undefined) before.unshift(session.lock(lock));
    const answers = await session.batch([...before, ...read]);
    const labels = answers[before.length - 1] ?? [];
    const row =
      oneRow(answers.slice(before.length)) ?? oneRow(await session.batch(readLarge(beadId)));
    if (row === undefined) {
      return { ...(await this.#leave(session, 'it is gone')), isGone: true };
    }
    checkRow(row, schema, session.describe());
    const parsed = parseBead(row);
    if (!parsed.ok) return await this.#leave(session, parsed.problem);
    const { bead } = parsed;
    // Of an earlier try only the answer was lost.
    if (this.#sent !== undefined && (await session.query(IS_WRITTEN_SQL, [token])).length > 0) {
      await session.query('ROLLBACK');
      return this.#sent;
    }
    const now = fromSqlTime(String(row['server_time'])) ?? new Date(Number.NaN);
    const verdict = this.#wanted.decide(bead, now);
    if ('leave' in verdict) return await this.#leave(session, verdict.leave);
    const names = labels.map(({ label }) => String(label));
    return await this.#carryOut(session, schema, { row, labels: names, bead, verdict, now });
  }

  async #carryOut(session: Session, schema: Schema, decided: Decided) {
    const { row, labels, bead, verdict, now } = decided;
    const { beadId, token, actor, message } = this.#wanted;
    const { step: name, about, intent, changes } = verdict;
    const statements = statementsFor(schema);
    const unique = canHoldStep(row['metadata_type']) ? undefined : token;
    const { after, events } = record(row, labels, changes, now, schema, unique);
    const entries = events.map((event, index) => {
      const id = this.#idOf(index, events.length);
      const json = this.#envelope({ ...event.fact, id, subject: beadId, at: now });
      return { id, event, json };
    });
    this.#sent = { done: true, bead, events: entries.map(({ json }) => json) };

    const step =
      name === 'keep'
        ? String(row['step'])
        : formatStep({ name, token, ...(about === undefined ? {} : { about }) });
    const isClaim = changes.some(({ to }) => to === 'in_progress');
    const update = { ...after, step, isClaim };
    const writes: Statement[] = [
      ...withoutForeignKeys([statements.update, updateValues(schema, beadId, update)]),
    ];
    const endsClaim = changes.some(({ to }) => to !== undefined);
    if (bead.lease !== undefined && endsClaim) writes.push([statements.deleteLease, [beadId]]);
    const newestKey = row['newest_key'];
    const keyOf = outboxKeys(
      String(row['server_time']),
      typeof newestKey === 'string' ? newestKey : null,
    );
    for (const [index, { id, event, json }] of entries.entries()) {
      const { type, oldValue, newValue } = event;
      writes.push([EVENT_SQL, [id, beadId, type, actor, oldValue, newValue]]);
      writes.push([INSERT_LOCAL_SQL, [keyOf(index, id), json]]);
    }
    if (intent !== undefined && 'forget' in intent) {
      writes.push([DELETE_LOCAL_SQL, [[intentKey(intent.forget)]]]);
    }
    if (intent !== undefined && 'forbid' in intent) {
      const isFree = await forbid(session, intent.forbid);
      if (!isFree) return await this.#leave(session, 'the claimer itself was faster');
    }
    if (Number(row['is_journaled']) === 1) {
      const read = IS_LARGE in row ? statements.readLarge(beadId) : statements.readToWrite(beadId);
      const answers = await session.batch([...writes.splice(0), ...read]);
      writes.push(
        ...journalUpdate(
          oneRow(answers.slice(-read.length)) ?? {},
          labels,
          schema.hasJournalActor ? actor : undefined,
        ),
      );
    }
    await session.batch([...writes, [statements.add]]);
    await session.query(COMMIT_SQL, [message, `${actor} <beads@local>`]);
    // Without this the session stays in a transaction that DOLT_COMMIT has opened anew, and every
    // later read on the connection comes from that snapshot.
    await session.query('COMMIT');
    return this.#sent;
  }

  async #leave(session: Session, reason: string) {
    await session.query('ROLLBACK');
    return { done: false as const, reason };
  }

  /** Every event has its id from the first try on; the last one has the token. */
  #idOf(index: number, count: number): string {
    if (index === count - 1) return this.#wanted.token;
    return (this.#ids[index] ??= uuidv7());
  }
}

/** @returns whether a claimer that may be alive has not put its intent on record before. */
async function forbid(session: Session, token: string): Promise<boolean> {
  try {
    await session.query(INSERT_LOCAL_SQL, [intentKey(token), FORBIDDEN]);
    return true;
  } catch (error) {
    if (error instanceof DuplicateKeyError) return false;
    throw error;
  }
}

/** What was decided about a bead, with all that it was decided by. */
interface Decided {
  row: Row;
  labels: string[];
  bead: Bead;
  verdict: Extract<Verdict, { step: string }>;
  /** The server's time. */
  now: Date;
}
