import type { QueryError } from 'mysql2/promise';

import {
  DatabaseAccessDeniedError,
  DatabaseSchemaError,
  DatabaseStatementError,
  DatabaseUnreachableError,
  SchemaChangedError,
} from '../../runtime/errors.ts';
import type { DatabaseSettings } from '../../settings/settings.ts';
import { oneLine } from '../../runtime/quote.ts';

/**
 * Another transaction committed first (1213), or waited too long (1205): try again from the start.
 */
export class ConflictError extends DatabaseStatementError {}

/** A row with this key is there already (1062). */
export class DuplicateKeyError extends DatabaseStatementError {}

/** The database, in words for a message. */
export function describeDatabase({ database, host, port }: DatabaseSettings): string {
  return `database ${database} on ${host}:${port}`;
}

/** Enough to tell what is wrong, too little to leak what is in the beads. */
const MESSAGE_CHARACTERS = 200;

/** Error numbers of MySQL as Dolt 1.88 uses them (tried; 1105 is Dolt's "unknown error"). */
const UNKNOWN_DATABASE = 1049;
const ACCESS_DENIED: ReadonlySet<unknown> = new Set([1044, 1045, 1142, 1370]);
/** Dolt has words of its own for a database or a procedure, with error number 1105. */
const DENIED = /command denied|^Access denied/;
const CONFLICT: ReadonlySet<unknown> = new Set([1213, 1205]);
const DUPLICATE_KEY = 1062;
const MISSING: ReadonlySet<unknown> = new Set([1054, 1146]);
/**
 * Dolt also has words of its own for a table or column that is not there, with error number 1105.
 */
const NOT_THERE = /could not be found|table not found|does not have column|unknown column/i;
/** Of a value that is too long Dolt repeats the value first, which may hold any words. */
const VALUE_FIRST = /^string '/;

/** What Dolt says to a client without TLS, where it wants it; its error number says nothing. */
const WANTS_TLS = /does not allow insecure connections/;
/** What Node says of a certificate, whatever is wrong with it. */
const CERTIFICATE = /certificate/i;
/** What mysql2 says of a server that has no TLS. */
const NO_TLS = 'HANDSHAKE_NO_SSL_SUPPORT';

/** A server that is going down still answers, in these words. */
const GOING_DOWN = /context canceled|connection was killed|server shutdown/i;

/**
 * What a failure of mysql2 or of the server is to the functions.
 * @returns one of our errors, or `error` itself when it is a bug of this project.
 */
export function translate(error: unknown, settings: DatabaseSettings): unknown {
  if (!(error instanceof Error)) return error;
  const { errno, code, sqlState, fatal }: Partial<QueryError> = error;
  // Neither the server's nor the network's: a bug of this project, to be shown as it is.
  if (errno === undefined && code === undefined && fatal !== true) return error;
  // The server repeats in its messages what it was given, up to whole notes.
  const message = oneLine(error.message).slice(0, MESSAGE_CHARACTERS);
  const where = describeDatabase(settings);
  const cause = { cause: error };
  if (CONFLICT.has(errno) || sqlState === '40001') return new ConflictError(message, cause);
  if (errno === DUPLICATE_KEY) return new DuplicateKeyError(message, cause);
  if (ACCESS_DENIED.has(errno) || DENIED.test(message)) {
    return new DatabaseAccessDeniedError(
      `${where} refused user ${settings.user}: ${message}. Check the user, BEADS_DOLT_PASSWORD, and its rights (docs/grants.sql).`,
      cause,
    );
  }
  if (errno === UNKNOWN_DATABASE) {
    return new DatabaseSchemaError(
      `${where} does not exist. Check BEADS_DOLT_SERVER_DATABASE or dolt_database in metadata.json.`,
      cause,
    );
  }
  if (MISSING.has(errno) || (NOT_THERE.test(message) && !VALUE_FIRST.test(message))) {
    return new SchemaChangedError(`${where} is not the schema it was: ${message}`, cause);
  }
  if (WANTS_TLS.test(message)) {
    return new DatabaseUnreachableError(
      `${where} takes connections with TLS only. Set BEADS_DOLT_SERVER_TLS=true.`,
      cause,
    );
  }
  if (code === NO_TLS) {
    return new DatabaseUnreachableError(
      `${where} offers no TLS. Give it a certificate, or unset BEADS_DOLT_SERVER_TLS.`,
      cause,
    );
  }
  if (fatal === true && CERTIFICATE.test(message)) {
    return new DatabaseUnreachableError(
      `${where} shows a certificate that is not trusted: ${message}. Name the file of its CA in NODE_EXTRA_CA_CERTS, and the server by the name in its certificate, not by its address.`,
      cause,
    );
  }
  if (fatal === true || sqlState === undefined || GOING_DOWN.test(message)) {
    return new DatabaseUnreachableError(
      `${where} does not answer: ${message || code}. Check that the Dolt server runs, that it can be reached from here, and BEADS_DOLT_SERVER_TLS.`,
      cause,
    );
  }
  return new DatabaseStatementError(`${where}: ${message}`, cause);
}
