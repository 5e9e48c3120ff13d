import type { EventPayload } from '../../events/event-types.ts';
import type { Bead } from '../rows/bead.ts';
import type { MarkerName } from '../rows/claim-marker.ts';
import type { FollowUp } from '../rows/follow-up.ts';
import type { Status } from './state-machine.ts';

/** How a bead is changed: the words that state machine, transitions and their runner share. */

/** One logical change, as one bd command would make it: one note, one `events` row, one event. */
export interface Change {
  /** `undefined` leaves the status as it is. */
  to?: Status;
  /** Without it the notes stay as they are, as with a status that a person sets. */
  note?: string;
  /** Without it nothing is told: it is no transition of these functions. */
  payload?: EventPayload;
  /** As bd calls the change when it is not a mere update of the status. */
  eventType?: 'reopened';
}

/** Names the token of a claim: remove its intent to post, or make sure there will be none. */
export type IntentChange = { forget: string } | { forbid: string };

/** The end of a dispatch is still to be told, or of the transition with that token no more. */
export type FollowUpChange = { begin: Omit<FollowUp, 'token' | 'at'> } | { end: string };

/** What to do with a row as it is now. */
export interface TransitionPlan {
  changes: readonly [Change, ...Change[]];
  /** `keep` leaves the claim marker of somebody else's claim as it is. */
  marker: MarkerName | 'keep';
  /** Kept in the marker beside the token. */
  about?: string;
  intent?: IntentChange;
  followUp?: FollowUpChange;
}

/** Why a row is left as it is. */
export interface Leave {
  leave: string;
}

/** One wanted change of one bead; `run-transition.ts` carries it out. */
export interface Transition {
  beadId: string;
  /**
   * Fresh and unique; the id of the last `events` row and CloudEvent, and what the row will carry.
   */
  token: string;
  /** Who bd says it was. */
  actor: string;
  /**
   * Name of a lock that the server holds from here to the end of the tick, which tells other ticks
   * that the claimer lives.
   */
  lock?: string;
  /** Message of the Dolt commit, for example `dispatch: claim code-a1`. */
  message: string;
  /**
   * Pure; called again, with the row as it then is, when another writer was faster.
   * @param now the server's.
   */
  plan(bead: Bead, now: Date): TransitionPlan | Leave;
}

/**
 * What was written, or why nothing was. `events` are those that the outbox has now; the relay logs
 * them where there is no sink.
 */
export type TransitionResult =
  { done: true; bead: Bead; events: string[] } | { done: false; reason: string; isGone?: boolean };
