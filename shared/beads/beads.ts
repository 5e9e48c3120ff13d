import { randomUUID } from 'node:crypto';

import type { ToCloudEvent } from '../events/to-cloud-event.ts';
import { DatabaseUnreachableError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { DatabaseSettings } from '../settings/settings.ts';
import { parseBead, type ParsedBead } from './rows/bead.ts';
import { SchemaCache } from './schema/schema-cache.ts';
import { BREAKER, openedAtOf, type FollowUp } from './rows/follow-up.ts';
import {
  failuresOf,
  failuresStatement,
  missesOf,
  MISSES_STATEMENT,
  NO_FAILURES,
  type Misses,
} from './rows/history.ts';
import {
  declareIntent,
  readClaimEvidence,
  sweepIntents,
  withdrawIntent,
  type ClaimEvidence,
} from './rows/intent.ts';
import { SnapshotCache } from './snapshot-cache.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from './rows/local-metadata.ts';
import { Inspector } from './inspector.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import { Outbox } from './rows/outbox.ts';
import { changesOf, historyStatement, type PastChange } from './rows/past-change.ts';
import { describeSchema } from './schema/schema.ts';
import { Connection } from './sql/connection.ts';
import { IdleConnection } from './sql/idle-connection.ts';
import { checkRow, oneRow, statementsFor } from './rows/statements.ts';
import { MARKER_KEY } from './rows/claim-marker.ts';
import type { Transition, TransitionResult } from './write/change.ts';
import { runTransition } from './write/run-transition.ts';
import { tellOnce, type Telling, type Told } from './write/tell-once.ts';
import type { Claim } from './write/transitions.ts';

/** What is ready depends on the beads and, before bd kept `is_blocked`, on their dependencies. */
const STATE_HASH_SQL = `
  SELECT CONCAT(dolt_hashof_table('issues'), dolt_hashof_table('dependencies')) AS hash`;

const FIND_CLAIMED_SQL = `
  SELECT id FROM issues WHERE JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${MARKER_KEY}')) = ? LIMIT 1`;

/** The bead that carries the marker of the transition with that token. */
const CARRIES_TOKEN_SQL = `JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${MARKER_KEY}')) LIKE CONCAT('%:', ?, '%')`;

/**
 * The beads of one sentinel in one database. This folder is the only place that knows bd's tables;
 * a tick asks it for what it needs in the words of beads.
 */
export class BeadsDatabase {
  readonly #settings: DatabaseSettings;
  readonly #sentinel: string;
  readonly #schema: SchemaCache;
  readonly #snapshotCache = new SnapshotCache();
  readonly #connections: IdleConnection;

  /** @param log told what the schema offers. */
  constructor(settings: DatabaseSettings, sentinel: string, log?: Pick<Logger, 'info' | 'warn'>) {
    this.#settings = settings;
    this.#sentinel = sentinel;
    this.#connections = new IdleConnection(settings);
    this.#schema = new SchemaCache((schema) => {
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
   * @param toCloudEvent what the outbox keeps of each event.
   * @throws {DatabaseUnreachableError | DatabaseAccessDeniedError | DatabaseSchemaError}
   */
  async use<T>(toCloudEvent: ToCloudEvent, work: (beads: Beads) => Promise<T>): Promise<T> {
    return await this.inspect(toCloudEvent, work);
  }

  /**
   * Hands out what people ask beside the snapshot, on the connection of the work.
   * @throws as {@link use}.
   */
  async inspect<T>(
    toCloudEvent: ToCloudEvent,
    work: (beads: Beads, inspector: Inspector) => Promise<T>,
  ): Promise<T> {
    const connection = await this.#connections.take();
    try {
      const beads = new Beads(
        connection,
        this.#schema,
        this.#sentinel,
        toCloudEvent,
        this.#snapshotCache,
      );
      return await work(beads, new Inspector(connection, this.#schema, this.#sentinel));
    } finally {
      this.#connections.giveBack(connection);
    }
  }

  /** Closes the connection that was kept for the next work. */
  close(): void {
    this.#connections.close();
  }

  /**
   * Opens the outbox on a connection of its own, which the caller closes.
   * @throws {DatabaseUnreachableError | DatabaseAccessDeniedError | DatabaseSchemaError}
   */
  async openOutbox(): Promise<Outbox> {
    return new Outbox(await Connection.open(this.#settings));
  }
}

/** What one tick can do, over one connection. */
export class Beads {
  readonly #connection: Connection;
  readonly #schema: SchemaCache;
  /** The assignee whose beads these are. */
  readonly sentinel: string;
  readonly #toCloudEvent: ToCloudEvent;
  readonly #snapshotCache: SnapshotCache;

  constructor(
    connection: Connection,
    schema: SchemaCache,
    sentinel: string,
    toCloudEvent: ToCloudEvent,
    snapshotCache: SnapshotCache,
  ) {
    this.#connection = connection;
    this.#schema = schema;
    this.sentinel = sentinel;
    this.#toCloudEvent = toCloudEvent;
    this.#snapshotCache = snapshotCache;
  }

  /** The one read of a tick. */
  async readSnapshot(): Promise<Snapshot> {
    const once = async () =>
      await this.#schema.use(
        this.#connection,
        async (schema) =>
          await readSnapshot(this.#connection, schema, this.sentinel, this.#snapshotCache),
      );
    try {
      return await once();
    } catch (error) {
      if (!(error instanceof DatabaseUnreachableError)) throw error;
      // The connection may have been dropped while BeadBoard was asked.
      await this.#connection.reconnect();
      return await once();
    }
  }

  /** Changes with every write that may make a bead ready; as cheap as asking for nothing. */
  async stateHash(): Promise<string> {
    const [row] = await this.#connection.query(STATE_HASH_SQL);
    return String(row?.['hash']);
  }

  /** The one write. */
  async transition(wanted: Transition): Promise<TransitionResult> {
    this.#snapshotCache.forget();
    return await runTransition(this.#connection, this.#schema, this.#toCloudEvent, wanted);
  }

  /**
   * Puts the intent to post on record, and then reads the claim back, outside of any transaction.
   * Dolt merges what two writers did to different cells of one row, so that a bead can be claimed
   * and reassigned in the same second: only what is read back is held.
   * @returns `undefined` when the bead may be posted, else what stands in the way.
   */
  async confirmClaim(held: Claim): Promise<string | undefined> {
    if (!(await declareIntent(this.#connection, held.token))) {
      return 'another tick gave it back in the meantime';
    }
    let isClear = false;
    try {
      const obstacle = await this.#obstacleIn(held);
      isClear = obstacle === undefined;
      return obstacle;
    } finally {
      // Should this process die now, the next tick can give the bead back.
      if (!isClear) await withdrawIntent(this.#connection, held.token);
    }
  }

  async #obstacleIn({ bead, token }: Claim): Promise<string | undefined> {
    const parsed = await this.#readBack(bead.id);
    if (parsed === undefined)
      return 'it was deleted, or became too large, while it was being claimed';
    if (!parsed.ok) return `its row does not parse: ${parsed.problem}`;
    const { bead: now } = parsed;
    if (now.marker?.token !== token) return 'another claim took its place';
    if (now.status !== 'in_progress') return `it became ${now.status} while it was being claimed`;
    if (now.assignee !== this.sentinel) {
      return `it was assigned to ${now.assignee || 'nobody'} while it was being claimed`;
    }
    return undefined;
  }

  /**
   * Records how a dispatch has ended, once over all processes.
   * @param plan pure; what is to be told of the bead as it is now and of its history.
   * @returns what was told; `undefined` when it is told already, or has not ended.
   */
  async tellEnd(
    { token, bead: { id } }: FollowUp,
    plan: (
      found: ParsedBead | undefined,
      changes: readonly PastChange[],
      now: Date,
    ) => Omit<Telling, 'subject'> | undefined,
  ): Promise<Told | undefined> {
    const connection = this.#connection;
    return await tellOnce(connection, this.#toCloudEvent, token, async (row, now) => {
      if (row === undefined) return undefined;
      const found = await this.#schema.use(connection, async (schema) => {
        const { beadsWhere } = statementsFor(schema);
        const [named] = await connection.query(beadsWhere('issues.id = ?'), [id]);
        // bd may have renamed it.
        return named ?? (await connection.query(beadsWhere(CARRIES_TOKEN_SQL), [token]))[0];
      });
      const current = found === undefined ? id : String(found['id']);
      const changes = changesOf(await connection.query(...historyStatement(current)));
      const telling = plan(found && parseBead(found), changes, now);
      return telling && { ...telling, subject: current };
    });
  }

  /**
   * Records that the breaker has opened or closed, once over all processes.
   * @param plan pure; what is to be told of the failures as they are now, and of when it opened.
   * @returns what was told; `undefined` when there is nothing to tell.
   */
  async tellBreaker(
    plan: (
      misses: Misses,
      openedAt: Date | undefined,
      now: Date,
    ) => Omit<Telling, 'subject'> | undefined,
  ): Promise<Told | undefined> {
    const connection = this.#connection;
    return await tellOnce(connection, this.#toCloudEvent, BREAKER, async (row, now) => {
      const misses = missesOf(await connection.query(...MISSES_STATEMENT));
      const telling = plan(misses, openedAtOf(row === undefined ? [] : [row]), now);
      return telling && { ...telling, subject: BREAKER };
    });
  }

  /**
   * Writes a row of our own and removes it again.
   * @throws what the database says when it takes no writes.
   */
  async tryWrite(): Promise<void> {
    const key = `beads-dispatch.try.${randomUUID()}`;
    await this.#connection.query(INSERT_LOCAL_SQL, [key, '']);
    await this.#connection.query(DELETE_LOCAL_SQL, [[key]]);
  }

  /** The id of the bead that carries a claim's token, wherever bd has renamed it to. */
  async findClaimed(token: string): Promise<string | undefined> {
    const [row] = await this.#connection.query(FIND_CLAIMED_SQL, [`claimed:${token}`]);
    return row === undefined ? undefined : String(row['id']);
  }

  /** What is known of a claim in progress whose outcome nobody has recorded. */
  async evidenceOf(token: string): Promise<ClaimEvidence> {
    return await readClaimEvidence(this.#connection, token);
  }

  /** Removes intents of claims that have long ended. @param now the database's clock. */
  async sweepIntents(now: Date): Promise<number> {
    return await sweepIntents(this.#connection, now);
  }

  /** Which attempt of a bead is under way, counted from 1. */
  async attemptOf(beadId: string): Promise<number> {
    const rows = await this.#connection.query(...failuresStatement([beadId]));
    return (failuresOf(rows).get(beadId) ?? NO_FAILURES).count + 1;
  }

  async #readBack(id: string): Promise<ParsedBead | undefined> {
    const connection = this.#connection;
    const row = await this.#schema.use(connection, async (schema) => {
      const answer = oneRow(await connection.batch(statementsFor(schema).readBack(id)));
      // After the POST it would be too late to find that its outcome cannot be written.
      if (answer !== undefined) checkRow(answer, schema, connection.describe());
      return answer;
    });
    return row === undefined ? undefined : parseBead(row);
  }
}
