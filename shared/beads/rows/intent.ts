import { DatabaseUnreachableError } from '../../runtime/errors.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from './local-metadata.ts';
import type { Connection } from '../sql/connection.ts';
import { parseMarker, MARKER_KEY } from './claim-marker.ts';
import { ConflictError, DuplicateKeyError } from '../sql/sql-error.ts';

/**
 * The intent to post, on record before the POST, so that after a crash a claim that was certainly
 * never posted can be told from one that may have been (docs/decisions/0005).
 *
 * It is a row of bd's `local_metadata`, which Dolt keeps out of history: key
 * `beads-dispatch.intent.<claim's token>`. Only one of the claimer (before its POST)
 * and a tick that wants to give the bead back (in its own transaction) can insert it: the other one
 * meets a duplicate key or a conflict. That row decides; the lock below only tells when to ask.
 */
export const intentKey = (token: string) => `beads-dispatch.intent.${token}`;

const READ_INTENT_SQL = 'SELECT value FROM local_metadata WHERE `key` = ?';

const POSTING = 'posting';
/** What a tick writes in place of an intent when it gives the bead back. */
export const FORBIDDEN = 'released';

/** The server's lock that a claimer holds for as long as it lives. */
export const claimLock = (token: string) => `beads-dispatch:${token}`;

/**
 * Records the intent to post, outside any transaction.
 * @param token the claim's.
 * @returns whether the claimer may post; `false` when the bead was given back in the meantime, or
 *   when the answer was lost and nothing is on record.
 */
export async function declareIntent(connection: Connection, token: string): Promise<boolean> {
  try {
    await connection.query(INSERT_LOCAL_SQL, [intentKey(token), POSTING]);
    return true;
  } catch (error) {
    if (error instanceof DatabaseUnreachableError) await connection.reconnect();
    else if (!(error instanceof DuplicateKeyError || error instanceof ConflictError)) throw error;
    // After a lost answer the row may be there all the same.
    return await hasIntent(connection, token);
  }
}

/**
 * Takes the intent back for a claim that will not be posted. Where that fails the intent stays, and
 * with it the doubt whether the bead was posted, which a later tick settles.
 */
export async function withdrawIntent(connection: Connection, token: string): Promise<void> {
  const withdraw = async () => await connection.query(DELETE_LOCAL_SQL, [[intentKey(token)]]);
  try {
    await withdraw().catch(async (error: unknown) => {
      if (!(error instanceof DatabaseUnreachableError)) throw error;
      await connection.reconnect();
      await withdraw();
    });
  } catch {
    // As the docstring says.
  }
}

/** A token is a UUIDv7; so long after its making no claimer is in the middle of its POST. */
const SETTLED_MS = 3_600_000;
const INTENTS = `FROM local_metadata
   WHERE \`key\` >= 'beads-dispatch.intent.' AND \`key\` < 'beads-dispatch.intent/'`;
const INTENTS_SQL = `SELECT \`key\` ${INTENTS} ORDER BY \`key\` LIMIT ?`;
/** SQL for the key of the oldest intent; NULL when there is none. */
export const OLDEST_INTENT_SQL = `(SELECT MIN(\`key\`) ${INTENTS})`;

/** Whether an intent is so old that its claim may have come to an end. */
export const isOldIntent = (key: unknown, now: Date): boolean =>
  typeof key === 'string' && now.getTime() - madeAt(key.slice(intentKey('').length)) > SETTLED_MS;
/** Read at once; with more than this the next tick continues. */
const SWEPT_AT_ONCE = 100;
const STILL_CLAIMED_SQL = `
  SELECT JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${MARKER_KEY}')) AS marker
    FROM issues WHERE status = 'in_progress'`;

/**
 * Removes what claims have left here that have long come to an end: a claim that was given back, a
 * bead that was closed or reopened before the outcome was recorded. An intent is kept as long as a
 * bead is in progress under its token, because a later tick may still ask for it.
 * @param now the server's time.
 * @returns how many were removed.
 */
export async function sweepIntents(connection: Connection, now: Date): Promise<number> {
  const rows = await connection.query(INTENTS_SQL, [SWEPT_AT_ONCE]);
  const old = rows.map(({ key }) => String(key)).filter((key) => isOldIntent(key, now));
  if (old.length === 0) return 0;
  const claimed = await connection.query(STILL_CLAIMED_SQL);
  const held = new Set(
    claimed.map(({ marker }) => parseMarker(marker === null ? null : String(marker))?.token),
  );
  const settled = old.filter((key) => !held.has(key.slice(intentKey('').length)));
  if (settled.length > 0) await connection.query(DELETE_LOCAL_SQL, [settled]);
  return settled.length;
}

/** Milliseconds since 1970 in a UUIDv7; 0 for anything else. */
const madeAt = (token: string) => Number.parseInt(token.replace('-', '').slice(0, 12), 16) || 0;

async function hasIntent(connection: Connection, token: string): Promise<boolean> {
  const [row] = await connection.query(READ_INTENT_SQL, [intentKey(token)]);
  return row?.['value'] === POSTING;
}

/** What is known of a claim that nobody has recorded an outcome of. */
export interface ClaimEvidence {
  /** The claimer's connection still stands. */
  alive: boolean;
  /** It had put its intent to post on record. */
  mayHavePosted: boolean;
}

export async function readClaimEvidence(
  connection: Connection,
  token: string,
): Promise<ClaimEvidence> {
  // The lock first: a claimer that ended in between has then left its intent for us to see.
  const [lock] = await connection.query('SELECT IS_FREE_LOCK(?) AS free', [claimLock(token)]);
  return {
    alive: Number(lock?.['free']) !== 1,
    mayHavePosted: await hasIntent(connection, token),
  };
}
