import { v7 as uuidv7 } from 'uuid';

import type { DoubtReason, FailureReason } from '../../events/event-types.ts';
import type { Bead } from '../rows/bead.ts';
import type { MarkerName } from '../rows/claim-marker.ts';
import { claimLock } from '../rows/intent.ts';
import {
  claimedNote,
  dispatchedNote,
  failedNote,
  givenUpNote,
  reapedNote,
  releasedNote,
  supersededNote,
  unconfirmedNote,
  withdrawnNote,
} from '../rows/notes.ts';
import type { Change, Transition, TransitionPlan } from './change.ts';
import { TRANSITIONS } from './state-machine.ts';

/**
 * Every transition, by one constructor each: what it does is decided on the row as it then is.
 * Pure.
 */

/** A bead that this process has claimed, by the token that proves it. */
export interface Claim {
  bead: Bead;
  token: string;
  /** Counted from 1. */
  attempt: number;
}

/** Why a receiver of work certainly did not take a bead. */
export interface Refusal {
  /** `busy` costs the bead no attempt, only a back-off. */
  reason: FailureReason;
  /** What it said, for the note. */
  words: string;
  /** `undefined` when there was no answer. */
  httpStatus: number | undefined;
}

/** Why it is not known whether it did. */
export interface Doubt {
  reason: DoubtReason;
  /** What is known, for the note. */
  words: string;
}

/** When a refused bead is tried again, and how often. */
export interface Retry {
  maxAttempts: number;
  /** @param failedAt by the database's clock. */
  nextAttemptAt: (failedAt: Date) => Date;
}

/** Open → in progress, if the bead is still exactly as it was read. */
export function claim(seen: Bead, attempt: number): Transition {
  const wanted = transitionOf('claimed', seen, (bead, now) =>
    hasMoved(seen, bead)
      ? { leave: MOVED }
      : one('claimed', {
          to: TRANSITIONS.claimed.to,
          note: claimedNote(now),
          payload: { name: TRANSITIONS.claimed.event, data: { bead: summary(bead), attempt } },
        }),
  );
  return { ...wanted, lock: claimLock(wanted.token) };
}

/**
 * The bead stays as it is; the job is noted even when a person has moved the bead meanwhile, and
 * when another claim has taken the place of this one: then two jobs run, and both are on record.
 */
export function dispatched(held: Claim, jobId: string): Transition {
  return transitionOf('dispatched', held.bead, (bead) => {
    const isSuperseded = bead.marker !== undefined && !isOf(held, bead);
    const { attempt } = held;
    const change: Change = {
      note: isSuperseded ? supersededNote(jobId) : dispatchedNote(jobId),
      payload: {
        name: TRANSITIONS.dispatched.event,
        data: { bead: summary(bead), attempt, jobId },
      },
    };
    return {
      ...one(isSuperseded ? 'keep' : 'dispatched', change),
      about: jobId,
      intent: { forget: held.token },
      ...(isSuperseded ? {} : { followUp: { begin: { bead: summary(bead), attempt, jobId } } }),
    };
  });
}

/** The bead stays claimed: an agent may be at work, and only the reaper may say that it is not. */
export function unconfirmed(held: Claim, { reason, words }: Doubt): Transition {
  return transitionOf('unconfirmed', held.bead, (bead) =>
    bead.marker?.token === held.token && bead.status !== 'closed'
      ? {
          ...one('unconfirmed', {
            note: unconfirmedNote(words),
            payload: {
              name: TRANSITIONS.unconfirmed.event,
              data: { bead: summary(bead), attempt: held.attempt, reason },
            },
          }),
          about: held.token,
          intent: { forget: held.token },
        }
      : { leave: NOT_OURS },
  );
}

/** In progress → open: claimed by a dispatcher that died, and certainly never posted. */
export function release(seen: Bead): Transition {
  return transitionOf('released', seen, (bead) =>
    hasMoved(seen, bead)
      ? { leave: MOVED }
      : {
          ...one('released', {
            to: TRANSITIONS.released.to,
            note: releasedNote(),
            payload: {
              name: TRANSITIONS.released.event,
              data: { bead: summary(bead), reason: 'dispatcher-died' },
            },
          }),
          ...(seen.marker === undefined ? {} : { intent: { forbid: seen.marker.token } }),
        },
  );
}

/**
 * In progress → open, or → blocked after the last attempt. A bead that a person has moved in the
 * meantime keeps the status they gave it, and only gets the note.
 */
export function failed(
  { bead: claimed, token, attempt }: Claim,
  { reason, words, httpStatus }: Refusal,
  { maxAttempts, nextAttemptAt }: Retry,
): Transition {
  return transitionOf('failed', claimed, (bead, now) => {
    if (!isOf({ token }, bead)) return { leave: NOT_OURS };
    const ours = isStillHeld(claimed, bead);
    const givesUp = ours && reason !== 'busy' && attempt >= maxAttempts;
    const failure: Change = {
      note: failedNote(words, httpStatus),
      payload: {
        name: TRANSITIONS.failed.event,
        data: {
          bead: summary(bead),
          attempt,
          reason,
          httpStatus: httpStatus ?? null,
          nextAttemptAt: givesUp || !ours ? null : nextAttemptAt(now).toISOString(),
        },
      },
    };
    const intent = { forget: token };
    if (!ours) return { ...one('failed', failure), intent };
    if (!givesUp) return { ...one('failed', { ...failure, to: TRANSITIONS.failed.to }), intent };
    const last: Change = {
      to: TRANSITIONS['given-up'].to,
      note: givenUpNote(attempt),
      payload: {
        name: TRANSITIONS['given-up'].event,
        data: { bead: summary(bead), attempts: attempt },
      },
    };
    return { marker: 'given-up', changes: [failure, last], intent };
  });
}

/**
 * In progress → open: claimed, and given back before anybody was asked, because the bead is
 * somebody else's or could not be read. It counts neither as an attempt nor for the breaker.
 * @param reason for the note.
 */
export function withdraw({ bead: claimed, token }: Claim, reason: string): Transition {
  return transitionOf('withdrawn', claimed, (bead) =>
    isOf({ token }, bead)
      ? {
          ...one('withdrawn', {
            ...(isStillHeld(claimed, bead) ? { to: TRANSITIONS.withdrawn.to } : {}),
            note: withdrawnNote(reason),
            payload: {
              name: TRANSITIONS.withdrawn.event,
              data: { bead: summary(bead), reason: 'withdrawn' },
            },
          }),
          intent: { forget: token },
        }
      : { leave: NOT_OURS },
  );
}

export interface Stall {
  ageMinutes: number;
  thresholdMinutes: number;
  jobId: string | undefined;
  /** What the agent service said of the job; `undefined` when it did not say, or was not asked. */
  jobState: string | undefined;
  /** The service was to be asked, and did not say. */
  isUnanswered: boolean;
}

/** In progress → blocked, if nobody has touched the bead since it was read. */
export function reap(seen: Bead, stall: Stall): Transition {
  const { ageMinutes, thresholdMinutes, jobId, jobState } = stall;
  return transitionOf('reaped', seen, (bead) =>
    hasMoved(seen, bead)
      ? { leave: MOVED }
      : {
          ...one('reaped', {
            to: TRANSITIONS.reaped.to,
            note: reapedNote(ageMinutes, thresholdMinutes, evidenceOf(stall)),
            payload: {
              name: TRANSITIONS.reaped.event,
              data: {
                bead: summary(bead),
                ageMinutes,
                thresholdMinutes,
                jobId: jobId ?? null,
                jobState: jobState ?? null,
              },
            },
          }),
          // This is how the dispatch has ended.
          ...(bead.marker === undefined ? {} : { followUp: { end: bead.marker.token } }),
        },
  );
}

/** What is known of the job, for the note. */
function evidenceOf({ jobId, jobState, isUnanswered }: Stall): string | undefined {
  if (isUnanswered) return `job ${jobId} could not be asked about`;
  return jobState === undefined ? undefined : `job ${jobId} is ${jobState}`;
}

const MOVED = 'it changed since it was read';
const NOT_OURS = 'the claim is not ours any more';

function transitionOf(name: MarkerName, { id }: Bead, plan: Transition['plan']): Transition {
  const { actor, message } = TRANSITIONS[name];
  return { beadId: id, token: uuidv7(), actor, message: `${message} ${id}`, plan };
}

/**
 * The bead's last step is this claim, or what another tick made of it when it took the claimer for
 * dead: that its outcome is unknown. An outcome that is known after all still counts.
 */
function isOf({ token }: Pick<Claim, 'token'>, { marker }: Bead): boolean {
  return marker?.token === token || (marker?.name === 'unconfirmed' && marker.about === token);
}

function one(marker: MarkerName | 'keep', change: Change): TransitionPlan {
  return { marker, changes: [change] };
}

/** Nobody has moved it since it was claimed. */
function isStillHeld(claimed: Bead, bead: Bead): boolean {
  return bead.status === 'in_progress' && bead.assignee === claimed.assignee;
}

/** A person, an agent or another tick has been there; what was decided is void. */
function hasMoved(seen: Bead, bead: Bead): boolean {
  return JSON.stringify(bead) !== JSON.stringify(seen);
}

function summary({ id, title, priority }: Bead) {
  return { id, title, priority };
}
