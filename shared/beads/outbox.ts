import { DELETE_LOCAL_SQL } from './local-metadata.ts';
import type { Row, Session } from './session.ts';
import { fromSqlTime } from './time.ts';

/**
 * The outbox: every event is a row of bd's `local_metadata`, written in the transaction of the
 * transition that it reports, and deleted when the sink has taken it (docs/decisions/0007).
 *
 * Its key is `beads-dispatch.outbox.<time>.<n>.<event id>`. The time is the server's, read in the
 * transaction, in microseconds, and later than that of every event that waits: a bead's next transition
 * begins after this one is committed, so that the order of the keys is the order of what happened to it.
 */
const PREFIX = 'beads-dispatch.outbox.';
/** The first key behind all of the outbox: `/` follows `.`. */
const END = 'beads-dispatch.outbox/';

/** The rows of the outbox. */
const OURS = `\`key\` >= '${PREFIX}' AND \`key\` < '${END}'`;

/** SQL for the keys of the newest and of the oldest event in the outbox; NULL when it is empty. */
export const NEWEST_KEY_SQL = keySql('DESC');
export const OLDEST_KEY_SQL = keySql('ASC');

function keySql(order: 'ASC' | 'DESC'): string {
  return `(SELECT \`key\` FROM local_metadata WHERE ${OURS} ORDER BY \`key\` ${order} LIMIT 1)`;
}

const READ_SQL = `
  SELECT \`key\`, value, UTC_TIMESTAMP(6) AS server_time FROM local_metadata
   WHERE ${OURS} ORDER BY \`key\` LIMIT ?`;

/** One event that no sink has taken yet. */
export interface UnsentEvent {
  /** Names it to {@link Outbox.remove}. */
  key: string;
  /** The CloudEvent, as JSON. */
  event: string;
  /** How long it has been there, by the server's clock. */
  ageMs: number;
}

/**
 * Makes the keys of one transition's events. Both parameters are read in the transition's transaction.
 * @param serverTime `YYYY-MM-DD HH:MM:SS.ffffff`, in UTC.
 * @param newestKey {@link NEWEST_KEY_SQL}: a clock that was set back must not put an event before those
 *   that are there.
 */
export function outboxKeys(serverTime: string, newestKey: string | null) {
  const [seconds = '', fraction = ''] = serverTime.split('.');
  const now = BigInt(`${seconds.replaceAll(/\D/g, '')}${fraction.padEnd(6, '0')}`);
  const newest = BigInt(/\.(\d{20})\./.exec(newestKey ?? '')?.[1] ?? 0);
  const time = now > newest ? now : newest + 1n;
  return (index: number, eventId: string) => `${PREFIX}${time}.${index}.${eventId}`;
}

/** @returns when the event was recorded; long ago for a key that is not one of ours. */
export function recordedAt(key: string): Date {
  const digits = /\.(\d{14})(\d{3})\d{3}\./.exec(key);
  const time = digits?.[1]?.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3 $4:$5:$6');
  return fromSqlTime(`${time}.${digits?.[2]}`) ?? new Date(0);
}

/** Long enough for a relay that is about to end; what it leaves is then ours to send. */
export const LOCK_WAIT_SECONDS = 2;

/** What is recorded and not sent, over a connection of its own. */
export class Outbox {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Only one relay sends at a time, so that overlapping ticks do not send everything twice. Waits for
   * the other one to end, for a moment.
   * @returns whether this is the one.
   */
  async take(): Promise<boolean> {
    return await this.#session.tryLock(this.#lock, LOCK_WAIT_SECONDS);
  }

  async giveBack(): Promise<void> {
    await this.#session.unlock(this.#lock);
  }

  /** The oldest first; of one bead never a later event without those before it. */
  async read(limit: number): Promise<UnsentEvent[]> {
    return (await this.#session.query(READ_SQL, [limit])).map(unsentOf);
  }

  /** Called with what the sink has taken; events that another relay removed are no mistake. */
  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#session.query(DELETE_LOCAL_SQL, [keys]);
  }

  close(): void {
    this.#session.close();
  }

  get #lock(): string {
    return `beads-dispatch:relay:${this.#session.database}`;
  }
}

function unsentOf({ key, value, server_time }: Row): UnsentEvent {
  const readAt = fromSqlTime(String(server_time))?.getTime() ?? Number.NaN;
  const ageMs = readAt - recordedAt(String(key)).getTime();
  return { key: String(key), event: String(value), ageMs };
}
