import { v7 as uuidv7 } from 'uuid';

import type { EventPayload } from '../../events/event-types.ts';
import type { ToCloudEvent } from '../../events/to-cloud-event.ts';
import { FOLLOW_UP_SQL, followUpKey } from '../rows/follow-up.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from '../rows/local-metadata.ts';
import { NEWEST_KEY_SQL, outboxKeys } from '../rows/outbox.ts';
import type { Connection, Row } from '../sql/connection.ts';
import { fromSqlTime } from '../sql/time.ts';

/** An event that is no transition of a bead, and what it does with the follow-up it belongs to. */
export interface Telling {
  /** What the event is about. */
  subject: string;
  payload: EventPayload;
  /** When it happened. */
  at: Date;
  /** The value of the follow-up that it begins; without one it ends it. */
  begins?: string;
}

/** What was recorded: the event as JSON, and what it says. */
export interface Told {
  event: string;
  payload: EventPayload;
}

/** Another process that tells something takes milliseconds. */
const LOCK_WAIT_SECONDS = 1;
const FACTS_SQL = `SELECT UTC_TIMESTAMP(6) AS server_time, ${NEWEST_KEY_SQL} AS newest_key`;

/**
 * Records an event in the outbox together with the beginning or the end of its follow-up, once over
 * all processes: one at a time does so, and looks first whether it is still to be told. Two
 * transactions that delete one row would be merged, and both would tell.
 *
 * @param token of the follow-up.
 * @param plan called in the transaction with the follow-up's row, if it is there, and the server's
 *   time; it may read.
 * @returns what was told; `undefined` when there is nothing to tell, or another process is at it.
 * @throws when the database does not answer; a later tick tells it then.
 */
export async function tellOnce(
  connection: Connection,
  toCloudEvent: ToCloudEvent,
  token: string,
  plan: (row: Row | undefined, now: Date) => Promise<Telling | undefined>,
): Promise<Told | undefined> {
  const lock = `beads-dispatch:follow-ups:${connection.database}`;
  if (!(await connection.tryLock(lock, LOCK_WAIT_SECONDS))) return undefined;
  try {
    const key = followUpKey(token);
    const [, [row] = [], [facts = {}] = []] = await connection.batch([
      ['START TRANSACTION'],
      [FOLLOW_UP_SQL, [key]],
      [FACTS_SQL],
    ]);
    const now = fromSqlTime(String(facts['server_time'])) ?? new Date(Number.NaN);
    const telling = await plan(row, now);
    if (telling === undefined) {
      await connection.query('ROLLBACK');
      return undefined;
    }
    const { payload, subject, at, begins } = telling;
    const id = uuidv7();
    const event = toCloudEvent({ ...payload, id, subject, at });
    const newest = facts['newest_key'];
    const keyOf = outboxKeys(
      String(facts['server_time']),
      typeof newest === 'string' ? newest : null,
    );
    await connection.batch([
      begins === undefined ? [DELETE_LOCAL_SQL, [[key]]] : [INSERT_LOCAL_SQL, [key, begins]],
      [INSERT_LOCAL_SQL, [keyOf(0, id), event]],
    ]);
    await connection.query('COMMIT');
    return { event, payload };
  } catch (error) {
    // Where this fails the connection is broken, and the server rolls back by itself.
    await connection.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    // The end of the connection frees it, too.
    await connection.unlock(lock).catch(() => undefined);
  }
}
