import {
  createConnection,
  type Connection as MysqlConnection,
  type RowDataPacket,
} from 'mysql2/promise';

import { DatabaseUnreachableError } from '../../runtime/errors.ts';
import type { DatabaseSettings } from '../../settings/settings.ts';
import { checkVariables, SET_VARIABLES_SQL } from './session-variables.ts';
import { describeDatabase, translate } from './sql-error.ts';

/** A server in the same cluster answers in milliseconds; ten seconds mean that it is not there. */
const CONNECT_TIMEOUT_MS = 10_000;
/**
 * A server that vanished without a word is noticed ten seconds after this, when nobody asks it
 * anything.
 */
const KEEP_ALIVE_AFTER_MS = 30_000;
/** The slowest statement known takes 0.7 s, on 100,000 beads; past this the server hangs. */
const STATEMENT_TIMEOUT_MS = 15_000;

/** All columns come as text or number: times and JSON as text, integers beyond 2^53 as text. */
export type Row = Readonly<Record<string, string | number | null>>;
type Value = string | number | null | readonly string[];

/** One statement and the values of its placeholders. */
export type Statement = readonly [sql: string, values?: readonly Value[]];

/** What leaves nothing on a connection, as long as it goes well. */
const QUESTION = /^\s*(?:SELECT|START TRANSACTION|COMMIT)\b/;
/**
 * Where a statement still runs on a connection that is gone, the server keeps its locks until that
 * ends.
 */
const RELOCK_SECONDS = 2;
const GET_LOCK_SQL = 'SELECT GET_LOCK(?, 0)';

/**
 * One connection to the Dolt server, for one tick. Times come as text in UTC, JSON as text, and
 * every failure as an {@link DatabaseStatementError} or one of its siblings.
 */
export class Connection {
  readonly #settings: DatabaseSettings;
  #connection: MysqlConnection;
  /** Name of the server's lock that this session holds last. */
  #lock: string | undefined;
  #isClean = true;

  private constructor(settings: DatabaseSettings, connection: MysqlConnection) {
    this.#settings = settings;
    this.#connection = this.#watched(connection);
  }

  /**
   * @throws {DatabaseUnreachableError} no server there, or it does not answer.
   * @throws {DatabaseAccessDeniedError} wrong user or password.
   * @throws {DatabaseSchemaError} no such database.
   */
  static async open(settings: DatabaseSettings): Promise<Connection> {
    return new Connection(settings, await connect(settings));
  }

  /** Runs one parametrised statement; an array stands for the values of an `IN (?)`. */
  async query(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    this.#mark(sql);
    try {
      return rowsOf(await this.#send<RowDataPacket[]>(sql, values));
    } catch (error) {
      this.#isClean = false;
      const translated = translate(error, this.#settings);
      // A statement that timed out stays at the head of the connection's queue for ever, and the
      // next would wait behind it; on a destroyed connection it fails at once.
      if (translated instanceof DatabaseUnreachableError) this.#connection.destroy();
      throw translated;
    }
  }

  /**
   * Runs several statements in one round trip. Dolt (1.88.1) continues after one that failed, so
   * that none of them may commit what others of them wrote; after a failure the connection is
   * replaced, and what was not committed is gone with it.
   * @returns the rows of each.
   */
  async batch(statements: readonly Statement[]): Promise<Row[][]> {
    const [only, ...others] = statements;
    if (only !== undefined && others.length === 0) return [await this.query(...only)];
    for (const [text] of statements) this.#mark(text);
    const sql = statements.map(([text]) => text).join(';\n');
    const values = statements.flatMap(([, given = []]) => [...given]);
    try {
      return (await this.#send<RowDataPacket[][]>(sql, values)).map(rowsOf);
    } catch (error) {
      this.#isClean = false;
      this.#connection.destroy();
      const translated = translate(error, this.#settings);
      if (!(translated instanceof DatabaseUnreachableError)) await this.reconnect();
      throw translated;
    }
  }

  /**
   * Holds one of the server's named locks for as long as this session lives. The server frees it
   * with the connection, so that others can tell a dead holder from a slow one. Where the
   * connection is replaced the last one is taken again: a session has one claim at a time.
   * @returns the statement that takes it.
   */
  lock(name: string): Statement {
    this.#lock = name;
    return [GET_LOCK_SQL, [name]];
  }

  /**
   * Takes one of the server's named locks, if it is free within `waitSeconds`, until
   * {@link unlock} or the end of the connection.
   */
  async tryLock(name: string, waitSeconds: number): Promise<boolean> {
    const [row] = await this.query('SELECT GET_LOCK(?, ?) AS got', [name, waitSeconds]);
    return Number(row?.['got']) === 1;
  }

  async unlock(name: string): Promise<void> {
    await this.query('SELECT RELEASE_LOCK(?)', [name]);
  }

  /** Replaces a connection that broke; what it had not committed is gone with it. */
  async reconnect(): Promise<void> {
    this.#connection.destroy();
    this.#connection = this.#watched(await connect(this.#settings));
    // The server may not have noticed yet that the one before is gone.
    if (this.#lock !== undefined) await this.tryLock(this.#lock, RELOCK_SECONDS);
  }

  /** Lets the connection go; a broken one is dropped without a word. */
  close(): void {
    this.#connection.destroy();
  }

  /**
   * Whether it is as good as a new one: it stands, and nothing but questions went over it, no lock,
   * no transaction and no statement that failed.
   */
  get isClean(): boolean {
    return this.#isClean;
  }

  async #send<T extends RowDataPacket[] | RowDataPacket[][]>(
    sql: string,
    values: readonly Value[],
  ): Promise<T> {
    const timeout = STATEMENT_TIMEOUT_MS;
    const [result] = await this.#connection.query<T>({ sql, values: [...values], timeout });
    return result;
  }

  #mark(sql: string): void {
    if (!QUESTION.test(sql) || sql.includes('GET_LOCK')) this.#isClean = false;
  }

  /** Without a listener, a connection that breaks between statements would end the process. */
  #watched(connection: MysqlConnection): MysqlConnection {
    return connection.on('error', () => {
      this.#isClean = false;
    });
  }

  /** The database's name. */
  get database(): string {
    return this.#settings.database;
  }

  /** The database, in words for a message. */
  describe(): string {
    return describeDatabase(this.#settings);
  }
}

/** A statement that is no question has none. */
const rowsOf = (result: RowDataPacket[]): Row[] => (Array.isArray(result) ? result : []);

async function connect(settings: DatabaseSettings): Promise<MysqlConnection> {
  const { host, port, user, password, database, tls } = settings;
  let connection: MysqlConnection | undefined;
  try {
    connection = await createConnection({
      host,
      port,
      user,
      database,
      ...(password === undefined ? {} : { password }),
      ...(tls ? { ssl: { verifyIdentity: true } } : {}),
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
      timezone: 'Z',
      dateStrings: true,
      jsonStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      stringifyObjects: true,
      charset: 'utf8mb4',
      multipleStatements: true,
      // None is ever prepared, and room for the default of 16,000 is made with every connection:
      // 0.4 ms of an idle tick, and memory that grew by 60 MB in a hundred of them.
      maxPreparedStatements: 1,
    });
    const sql = SET_VARIABLES_SQL;
    const [[, [row = {}] = []]] = await connection.query<RowDataPacket[][]>({
      sql,
      timeout: CONNECT_TIMEOUT_MS,
    });
    checkVariables(row, describeDatabase(settings));
    return connection;
  } catch (error) {
    connection?.destroy();
    throw translate(error, settings);
  }
}
