import { randomUUID } from 'node:crypto';

import type { Envelope } from '../audit/envelope.ts';
import { DatabaseUnreachableError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { DatabaseSettings } from '../settings.ts';
import { parseBead, type ParsedBead } from './bead.ts';
import { CurrentSchema } from './current-schema.ts';
import { failuresOf, failuresStatement, NO_FAILURES } from './history.ts';
import {
  claimLock,
  declareIntent,
  readClaimEvidence,
  sweepIntents,
  withdrawIntent,
  type ClaimEvidence,
} from './intent.ts';
import { LastSeen } from './last-seen.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from './local-metadata.ts';
import { look, type Look } from './look.ts';
import { Outbox } from './outbox.ts';
import { describeSchema } from './schema.ts';
import { Session } from './session.ts';
import { SpareSession } from './spare-session.ts';
import { checkRow, oneRow, statementsFor } from './statements.ts';
import { STEP_KEY } from './step.ts';
import { transition, type Outcome, type Transition } from './transition.ts';
import type { Claim } from './transitions.ts';

/** What is ready depends on the beads and, before bd kept `is_blocked`, on their dependencies. */
const STATE_HASH_SQL = `
  SELECT CONCAT(dolt_hashof_table('issues'), dolt_hashof_table('dependencies')) AS hash`;

const FIND_CLAIMED_SQL = `
  SELECT id FROM issues WHERE JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${STEP_KEY}')) = ? LIMIT 1`;

/**
 * The beads of one sentinel in one database. This folder is the only place that knows bd's tables;
 * a tick asks it for what it needs in the words of beads.
 */
export class BeadsDatabase {
  readonly #settings: DatabaseSettings;
  readonly #sentinel: string;
  readonly #schema: CurrentSchema;
  readonly #lastSeen = new LastSeen();
  readonly #sessions: SpareSession;

  /** @param log told what the schema offers. */
  constructor(settings: DatabaseSettings, sentinel: string, log?: Pick<Logger, 'info' | 'warn'>) {
    this.#settings = settings;
    this.#sentinel = sentinel;
    this.#sessions = new SpareSession(settings);
    this.#schema = new CurrentSchema((schema) => {
      const { migration } = schema;
      log?.info({ migration, offers: describeSchema(schema) }, "bd's schema");
      if (schema.unknownColumns.length > 0) {
        log?.warn(
          { migration, columns: schema.unknownColumns },
          'the database has columns that this version does not know; they may be NULL or have a default, and are left alone',
        );
      }
    });
  }

  /**
   * Hands out a connection for the time of `work`.
   *
   * @param envelope what the outbox keeps of each event.
   * @throws {DatabaseUnreachableError | DatabaseAccessDeniedError | DatabaseSchemaError}
   */
  async use<T>(envelope: Envelope, work: (beads: Beads) => Promise<T>): Promise<T> {
    const session = await this.#sessions.take();
    try {
      return await work(new Beads(session, this.#schema, this.#sentinel, envelope, this.#lastSeen));
    } finally {
      this.#sessions.giveBack(session);
    }
  }

  /**
   * Opens the outbox on a connection of its own, which the caller closes.
   * @throws {DatabaseUnreachableError | DatabaseAccessDeniedError | DatabaseSchemaError}
   */
  async openOutbox(): Promise<Outbox> {
    return new Outbox(await Session.open(this.#settings));
  }
}

/** What one tick can do, over one connection. */
export class Beads {
  readonly #session: Session;
  readonly #schema: CurrentSchema;
  readonly #sentinel: string;
  readonly #envelope: Envelope;
  readonly #lastSeen: LastSeen;

  constructor(
    session: Session,
    schema: CurrentSchema,
    sentinel: string,
    envelope: Envelope,
    lastSeen: LastSeen,
  ) {
    this.#session = session;
    this.#schema = schema;
    this.#sentinel = sentinel;
    this.#envelope = envelope;
    this.#lastSeen = lastSeen;
  }

  /** The one read of a tick. */
  async look(): Promise<Look> {
    const once = async () =>
      await this.#schema.use(
        this.#session,
        async (schema) => await look(this.#session, schema, this.#sentinel, this.#lastSeen),
      );
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof DatabaseUnreachableError)) throw error;
      // The connection may have been dropped while BeadBoard was asked.
      await this.#session.reconnect();
      return await once();
    }
  }

  /** Changes with every write that may make a bead ready; as cheap as asking for nothing. */
  async stateHash(): Promise<string> {
    const [row] = await this.#session.query(STATE_HASH_SQL);
    return String(row?.['hash']);
  }

  /** The one write. */
  async transition(wanted: Transition): Promise<Outcome> {
    this.#lastSeen.forget();
    return await transition(this.#session, this.#schema, this.#envelope, wanted);
  }

  /** Carries a claim out. */
  async claim(wanted: Transition): Promise<Outcome> {
    return await this.transition({ ...wanted, lock: claimLock(wanted.token) });
  }

  /**
   * Puts the intent to post on record, and then reads the claim back, outside of any transaction. Dolt
   * merges what two writers did to different cells of one row, so that a bead can be claimed and
   * reassigned in the same second: only what is read back is held.
   * @returns `undefined` when the bead may be posted, else what stands in the way.
   */
  async obstacleToPost(held: Claim): Promise<string | undefined> {
    if (!(await declareIntent(this.#session, held.token))) {
      return 'another tick gave it back in the meantime';
    }
    let isClear = false;
    try {
      const obstacle = await this.#obstacleIn(held);
      isClear = obstacle === undefined;
      return obstacle;
    } finally {
      // Should this process die now, the next tick can give the bead back.
      if (!isClear) await withdrawIntent(this.#session, held.token);
    }
  }

  async #obstacleIn({ bead, token }: Claim): Promise<string | undefined> {
    const parsed = await this.#readBack(bead.id);
    if (parsed === undefined)
      return 'it was deleted, or became too large, while it was being claimed';
    if (!parsed.ok) return `its row does not parse: ${parsed.problem}`;
    const { bead: now } = parsed;
    if (now.step?.token !== token) return 'another claim took its place';
    if (now.status !== 'in_progress') return `it became ${now.status} while it was being claimed`;
    if (now.assignee !== this.#sentinel) {
      return `it was assigned to ${now.assignee || 'nobody'} while it was being claimed`;
    }
    return undefined;
  }

  /**
   * Writes a row of our own and removes it again.
   * @throws what the database says when it takes no writes.
   */
  async tryWrite(): Promise<void> {
    const key = `beads-dispatch.try.${randomUUID()}`;
    await this.#session.query(INSERT_LOCAL_SQL, [key, '']);
    await this.#session.query(DELETE_LOCAL_SQL, [[key]]);
  }

  /** The id of the bead that carries a claim's token, wherever bd has renamed it to. */
  async findClaimed(token: string): Promise<string | undefined> {
    const [row] = await this.#session.query(FIND_CLAIMED_SQL, [`claimed:${token}`]);
    return row === undefined ? undefined : String(row['id']);
  }

  /** What is known of a claim in progress whose outcome nobody has recorded. */
  async evidenceOf(token: string): Promise<ClaimEvidence> {
    return await readClaimEvidence(this.#session, token);
  }

  /** Removes intents of claims that have long ended. @param now the database's clock. */
  async sweepIntents(now: Date): Promise<number> {
    return await sweepIntents(this.#session, now);
  }

  /** Which attempt of a bead is under way, counted from 1. */
  async attemptOf(beadId: string): Promise<number> {
    const rows = await this.#session.query(...failuresStatement([beadId]));
    return (failuresOf(rows).get(beadId) ?? NO_FAILURES).count + 1;
  }

  async #readBack(id: string): Promise<ParsedBead | undefined> {
    const session = this.#session;
    const row = await this.#schema.use(session, async (schema) => {
      const answer = oneRow(await session.batch(statementsFor(schema).readBack(id)));
      // After the POST it would be too late to find that its outcome cannot be written.
      if (answer !== undefined) checkRow(answer, schema, session.describe());
      return answer;
    });
    return row === undefined ? undefined : parseBead(row);
  }
}
