import { setTimeout as pause } from 'node:timers/promises';

import type { Envelope } from '../audit/envelope.ts';
import type { Fact } from '../audit/event-types.ts';
import { DatabaseUnreachableError, TransitionContendedError } from '../errors.ts';
import { Attempt } from './attempt.ts';
import type { Bead } from './bead.ts';
import type { CurrentSchema } from './current-schema.ts';
import type { Session } from './session.ts';
import { ConflictError } from './sql-error.ts';
import type { Status } from './state-machine.ts';
import type { StepName } from './step.ts';

/**
 * The one way in which these functions change a bead: a transaction that reads the row, asks the plan
 * what to do, and writes row, `events` row and Dolt commit together, under a fresh token.
 *
 * It writes what `bd update -s <status> --append-notes <note>` would write, with our token as the one
 * addition (compared with what bd writes by test/conformance.test.ts, docs/conformance.md).
 */

/** One logical change, as one bd command would make it: one note, one `events` row, one event. */
export interface Change {
  /** `undefined` leaves the status as it is. */
  to?: Status;
  note: string;
  fact: Fact;
}

/** What to do with the row as it is now, or why to leave it alone. */
export type Verdict =
  | {
      changes: readonly [Change, ...Change[]];
      /** `keep` leaves the claim marker of somebody else's claim as it is. */
      step: StepName | 'keep';
      /** Kept in the step cell beside the token. */
      about?: string;
      /** Of the claim with this token: remove its intent to post, or make sure there will be none. */
      intent?: Intent;
    }
  | { leave: string };

/** Names the token of a claim. */
export type Intent = { forget: string } | { forbid: string };

export interface Transition {
  beadId: string;
  /** Fresh and unique; the id of the last `events` row and CloudEvent, and what the row will carry. */
  token: string;
  /** Who bd says it was. */
  actor: string;
  /**
   * Name of a lock that the server holds from here to the end of the tick, which tells other ticks that
   * the claimer lives.
   */
  lock?: string;
  /** Message of the Dolt commit, for example `dispatch: claim code-a1`. */
  message: string;
  /** Pure; called again, with the row as it then is, when another writer was faster. */
  decide(bead: Bead, now: Date): Verdict;
}

/** What was written, with its events as the outbox has them; or why nothing was. */
export type Outcome =
  { done: true; bead: Bead; events: string[] } | { done: false; reason: string; isGone?: boolean };

/** One retry was enough for 9,799 of 9,799 losers of a 50-way race; the rest is for hot rows. */
const MAX_CONFLICTS = 8;
/** Losers wait 5–50 ms, so that they do not meet again. */
const CONFLICT_MIN_MS = 5;
const CONFLICT_SPREAD_MS = 45;
/** A Dolt server that restarts is back within this; what came of a POST must not be lost to that. */
const OUTAGE_MS = 20_000;
const OUTAGE_STEP_MS = 250;

/**
 * Carries a transition out, exactly once: a lost race is read and decided anew, and after a broken
 * connection the token in the row tells whether the commit had arrived.
 *
 * @returns what was written, or why nothing was.
 * @throws {TransitionContendedError} other writers were faster every time; nothing was written.
 * @throws {DatabaseUnreachableError} the server stayed away; what was written is unknown.
 */
export async function transition(
  session: Session,
  schema: CurrentSchema,
  envelope: Envelope,
  wanted: Transition,
): Promise<Outcome> {
  const attempt = new Attempt(wanted, envelope);
  const giveUpAt = performance.now() + OUTAGE_MS;
  let conflicts = 0;
  let isBroken = false;
  for (;;) {
    try {
      if (isBroken) await session.reconnect();
      return await schema.use(session, (current) => attempt.run(session, current));
    } catch (error) {
      if (error instanceof ConflictError && conflicts < MAX_CONFLICTS) {
        conflicts += 1;
        isBroken = false;
        await pause(CONFLICT_MIN_MS + Math.random() * CONFLICT_SPREAD_MS);
      } else if (error instanceof DatabaseUnreachableError && performance.now() < giveUpAt) {
        isBroken = true;
        await pause(OUTAGE_STEP_MS);
      } else {
        return await giveUp(session, wanted, error);
      }
    }
  }
}

async function giveUp(session: Session, wanted: Transition, error: unknown): Promise<Outcome> {
  // The connection may be used for the next bead; where this fails it is broken anyway.
  await session.query('ROLLBACK').catch(() => undefined);
  if (error instanceof ConflictError) {
    throw new TransitionContendedError(
      `bead ${wanted.beadId}: other writers were faster ${MAX_CONFLICTS} times, so "${wanted.message}" was not written`,
      { cause: error },
    );
  }
  throw error;
}
