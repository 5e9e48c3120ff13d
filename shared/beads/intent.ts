import { DatabaseUnreachableError } from '../errors.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from './local-metadata.ts';
import type { Session } from './session.ts';
import { ConflictError, DuplicateKeyError } from './sql-error.ts';

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
export async function declareIntent(session: Session, token: string): Promise<boolean> {
  try {
    await session.query(INSERT_LOCAL_SQL, [intentKey(token), POSTING]);
    return true;
  } catch (error) {
    if (error instanceof DatabaseUnreachableError) await session.reconnect();
    else if (!(error instanceof DuplicateKeyError || error instanceof ConflictError)) throw error;
    // After a lost answer the row may be there all the same.
    return await hasIntent(session, token);
  }
}

/**
 * Takes the intent back for a claim that will not be posted. Where that fails the intent stays, and with it
 * the doubt whether the bead was posted, which a later tick settles.
 */
export async function withdrawIntent(session: Session, token: string): Promise<void> {
  const withdraw = async () => await session.query(DELETE_LOCAL_SQL, [[intentKey(token)]]);
  try {
    await withdraw().catch(async (error: unknown) => {
      if (!(error instanceof DatabaseUnreachableError)) throw error;
      await session.reconnect();
      await withdraw();
    });
  } catch {
    // As the docstring says.
  }
}

async function hasIntent(session: Session, token: string): Promise<boolean> {
  const [row] = await session.query(READ_INTENT_SQL, [intentKey(token)]);
  return row?.['value'] === POSTING;
}

/** What is known of a claim that nobody has recorded an outcome of. */
export interface ClaimEvidence {
  /** The claimer's connection still stands. */
  alive: boolean;
  /** It had put its intent to post on record. */
  mayHavePosted: boolean;
}

export async function readClaimEvidence(session: Session, token: string): Promise<ClaimEvidence> {
  // The lock first: a claimer that ended in between has then left its intent for us to see.
  const [lock] = await session.query('SELECT IS_FREE_LOCK(?) AS free', [claimLock(token)]);
  return {
    alive: Number(lock?.['free']) !== 1,
    mayHavePosted: await hasIntent(session, token),
  };
}
