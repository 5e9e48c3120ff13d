import type { OutboxPort, UnsentEvent } from '../../events/outbox-port.ts';
import { oneLine } from '../../runtime/quote.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from './local-metadata.ts';
import type { Connection, Row, Statement } from '../sql/connection.ts';
import { fromSqlTime, toSqlTime } from '../sql/time.ts';

/**
 * The outbox: every event is a row of bd's `local_metadata`, written in the transaction of the
 * transition that it reports, and deleted when the sink has taken it (docs/decisions/0007).
 *
 * Its key is `beads-dispatch.outbox.<time>.<n>.<event id>`. The time is the server's, read in the
 * transaction, in microseconds, and later than that of every event that waits: a bead's next
 * transition begins after this one is committed, so that the order of the keys is the order of what
 * happened to it.
 */
const PREFIX = 'beads-dispatch.outbox.';
/** The first key behind all of the outbox: `/` follows `.`. */
const END = 'beads-dispatch.outbox/';

/** The rows of the outbox. */
const OURS = `\`key\` >= '${PREFIX}' AND \`key\` < '${END}'`;

/**
 * An event that the sink does not take is moved to a key of its own, `beads-dispatch.parked.<retry
 * at>.<tries>.` and the rest of its first key; its value ends with a line that says why. So it
 * stops no other event, and is tried again ever more rarely.
 */
const PARKED = 'beads-dispatch.parked.';
const IS_PARKED = `\`key\` >= '${PARKED}' AND \`key\` < 'beads-dispatch.parked/'`;
const PARKED_KEY = /\.parked\.(\d{14})\.(\d+)\.(.*)$/;
/** The first wait of a parked event, doubled with each further try. */
const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 3_600_000;
const PROBLEM_CHARACTERS = 200;

/** SQL for how many events are parked, and the key of the one that is due next. */
export const PARKED_SQL = `
  (SELECT CONCAT(COUNT(*), ' ', COALESCE(MIN(\`key\`), '')) FROM local_metadata
    WHERE ${IS_PARKED})`;

/** How full the outbox is. */
export interface OutboxState {
  /**
   * Since when the oldest event has waited that no sink was asked to take yet; `undefined` when
   * none does.
   */
  unsentSince: Date | undefined;
  /** How many events the sink did not take, and when the first of them is tried again. */
  parked: number;
  retryAt: Date | undefined;
}

/**
 * @param oldestKey {@link OLDEST_KEY_SQL}.
 * @param parked {@link PARKED_SQL}.
 */
export function outboxStateOf(oldestKey: Row[string], parked: Row[string]): OutboxState {
  const [count, key = ''] = String(parked).split(' ');
  return {
    unsentSince: typeof oldestKey === 'string' ? recordedAt(oldestKey) : undefined,
    parked: Number(count),
    retryAt: timeOf(PARKED_KEY.exec(key)?.[1]),
  };
}

/** Whether there is something to send now. */
export const isSendDue = ({ unsentSince, retryAt }: OutboxState, now: Date): boolean =>
  unsentSince !== undefined || (retryAt !== undefined && retryAt <= now);

const DIGITS = /(....)(..)(..)(..)(..)(..)/;
const timeOf = (digits: string | undefined) =>
  digits === undefined ? undefined : fromSqlTime(digits.replace(DIGITS, '$1-$2-$3 $4:$5:$6'));
const digitsOf = (time: Date) => toSqlTime(time).replaceAll(/\D/g, '');

/** SQL for the keys of the newest and of the oldest event in the outbox; NULL when it is empty. */
export const NEWEST_KEY_SQL = keySql('DESC');
export const OLDEST_KEY_SQL = keySql('ASC');

function keySql(order: 'ASC' | 'DESC'): string {
  return `(SELECT \`key\` FROM local_metadata WHERE ${OURS} ORDER BY \`key\` ${order} LIMIT 1)`;
}

const readSql = (where: string) => `
  SELECT \`key\`, value, UTC_TIMESTAMP(6) AS server_time FROM local_metadata
   WHERE ${where} ORDER BY \`key\` LIMIT ?`;
const READ_SQL = readSql(OURS);
const READ_PARKED_SQL = readSql(
  `\`key\` >= '${PARKED}' AND \`key\` < CONCAT('${PARKED}', DATE_FORMAT(UTC_TIMESTAMP(), '%Y%m%d%H%i%s'))`,
);

/**
 * Makes the keys of one transition's events. Both parameters are read in the transition's
 * transaction.
 * @param serverTime `YYYY-MM-DD HH:MM:SS.ffffff`, in UTC.
 * @param newestKey {@link NEWEST_KEY_SQL}: a clock that was set back must not put an event before
 *   those that are there.
 */
export function outboxKeys(serverTime: string, newestKey: string | null) {
  const [seconds = '', fraction = ''] = serverTime.split('.');
  const now = BigInt(`${seconds.replaceAll(/\D/g, '')}${fraction.padEnd(6, '0')}`);
  const newest = BigInt(/\.(\d{20})\./.exec(newestKey ?? '')?.[1] ?? 0);
  const time = now > newest ? now : newest + 1n;
  return (index: number, eventId: string) => `${PREFIX}${time}.${index}.${eventId}`;
}

/** @returns when the event was recorded; 1970 for a key of another form. */
function recordedAt(key: string): Date {
  const [, digits, millis] = /\.(\d{14})(\d{3})\d{3}\./.exec(key) ?? [];
  const second = timeOf(digits);
  return second === undefined ? new Date(0) : new Date(second.getTime() + Number(millis));
}

/**
 * That the sink takes nothing, and why, is kept in one row, `<time>\n<problem>`; it holds for what
 * was recorded before that time and still waits, so that nobody has to remove it.
 */
const AWAY_KEY = 'beads-dispatch.sink-away';
const AWAY_SQL = `
  REPLACE INTO local_metadata (\`key\`, value) VALUES ('${AWAY_KEY}', CONCAT(UTC_TIMESTAMP(6), '\\n', ?))`;
export const READ_AWAY_SQL = `SELECT value FROM local_metadata WHERE \`key\` = '${AWAY_KEY}'`;

/** When the sink was last asked in vain, and what came of it. */
export interface SinkAway {
  at: Date;
  problem: string;
}

/** @param value of the row of {@link READ_AWAY_SQL}. */
export function sinkAwayOf(value: Row[string] | undefined): SinkAway | undefined {
  const [time = '', problem = ''] = String(value ?? '').split('\n');
  const at = fromSqlTime(time);
  return at === undefined ? undefined : { at, problem };
}

/** More than anybody reads at once. */
const MOST_ENTRIES = 1_000;
const WAITS = `(${OURS}) OR (${IS_PARKED})`;
/** Reads what waits for the sink, parked events among it. */
export const OUTBOX_ENTRIES_STATEMENT: Statement = [readSql(WAITS), [MOST_ENTRIES]];
/**
 * SQL for how many events wait for the sink, when the oldest was recorded, and the one that was
 * parked last, with its problem.
 */
export const OUTBOX_COUNT_SQL = `
  SELECT COUNT(*) AS count,
         MIN(SUBSTRING_INDEX(SUBSTRING_INDEX(\`key\`, '.', -3), '.', 1)) AS oldest,
         (SELECT value FROM local_metadata WHERE ${IS_PARKED} ORDER BY \`key\` DESC LIMIT 1) AS parked,
         (${READ_AWAY_SQL}) AS away
    FROM local_metadata WHERE ${WAITS}`;

/** @param row of {@link OUTBOX_COUNT_SQL}. @returns when the oldest event was recorded. */
export const outboxSinceOf = ({ oldest = null }: Row): Date | undefined =>
  oldest === null ? undefined : recordedAt(`.${String(oldest)}.`);

/** @param row of {@link OUTBOX_COUNT_SQL}. @returns what the sink said of a parked event. */
export const outboxProblemOf = ({ parked = null }: Row): string | undefined =>
  parked === null ? undefined : String(parked).split('\n').at(-1);

/** An event that waits, as a person sees it. */
export interface OutboxEntry {
  key: string;
  /** A CloudEvent in JSON format, with a line behind it that says why it is parked. */
  event: string;
  ageSeconds: number;
  tries: number;
  problem: string | undefined;
  retryAt: Date | undefined;
}

/** @param row of {@link OUTBOX_ENTRIES_STATEMENT}. */
export function outboxEntryOf(row: Row, away: SinkAway | undefined): OutboxEntry {
  const { key, event, ageMs, tries } = unsentOf(row);
  const problem =
    tries > 0
      ? String(row['value']).split('\n').at(-1)
      : away !== undefined && recordedAt(key) <= away.at
        ? away.problem
        : undefined;
  const ageSeconds = Math.max(0, Math.floor(ageMs / 1000));
  return { key, event, ageSeconds, tries, problem, retryAt: timeOf(PARKED_KEY.exec(key)?.[1]) };
}

/** Long enough for a relay that is about to end; what it leaves is then ours to send. */
export const LOCK_WAIT_SECONDS = 2;

/** What is recorded and not sent, over a connection of its own. */
export class Outbox implements OutboxPort {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Only one relay sends at a time, so that overlapping ticks do not send everything twice. Waits
   * for the other one to end, for a moment.
   * @returns whether this is the one.
   */
  async take(): Promise<boolean> {
    return await this.#connection.tryLock(this.#lock, LOCK_WAIT_SECONDS);
  }

  async giveBack(): Promise<void> {
    await this.#connection.unlock(this.#lock);
  }

  /**
   * The oldest first, of one bead never a later event without those before it; then parked ones
   * that are due.
   */
  async read(limit: number): Promise<UnsentEvent[]> {
    const [unsent = [], parked = []] = await this.#connection.batch([
      [READ_SQL, [limit]],
      [READ_PARKED_SQL, [limit]],
    ]);
    return [...unsent, ...parked].slice(0, limit).map(unsentOf);
  }

  /**
   * Puts an event aside that the sink has not taken, so that no other one waits for it.
   * @returns how often it has not taken it, and when it is tried again.
   */
  async park(unsent: UnsentEvent, problem: string): Promise<{ tries: number; retryAt: Date }> {
    const { key, event, tries: before, readAt } = unsent;
    const waitMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(before, 10));
    const retryAt = new Date(readAt.getTime() + waitMs);
    const tries = before + 1;
    const rest = PARKED_KEY.exec(key)?.[3] ?? key.slice(PREFIX.length);
    const parkedKey = `${PARKED}${digitsOf(retryAt)}.${tries}.${rest}`;
    await this.#connection.batch([
      ['START TRANSACTION'],
      [DELETE_LOCAL_SQL, [[key]]],
      [INSERT_LOCAL_SQL, [parkedKey, `${event}\n${oneLine(problem, PROBLEM_CHARACTERS)}`]],
    ]);
    await this.#connection.query('COMMIT');
    return { tries, retryAt };
  }

  async noteAway(problem: string): Promise<void> {
    await this.#connection.query(AWAY_SQL, [oneLine(problem, PROBLEM_CHARACTERS)]);
    await this.#connection.query('COMMIT');
  }

  /** Called with what the sink has taken; events that another relay removed are no mistake. */
  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#connection.query(DELETE_LOCAL_SQL, [keys]);
  }

  close(): void {
    this.#connection.close();
  }

  get #lock(): string {
    return `beads-dispatch:relay:${this.#connection.database}`;
  }
}

function unsentOf({ key, value, server_time }: Row): UnsentEvent {
  const readAt = fromSqlTime(String(server_time)) ?? new Date(Number.NaN);
  const ageMs = readAt.getTime() - recordedAt(String(key)).getTime();
  const tries = Number(PARKED_KEY.exec(String(key))?.[2] ?? 0);
  const [event = ''] = tries === 0 ? [String(value)] : String(value).split('\n');
  return { key: String(key), event, ageMs, tries, readAt };
}
