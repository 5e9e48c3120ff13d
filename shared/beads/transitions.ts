import { v7 as uuidv7 } from 'uuid';

import { NO_ANSWER } from '../agent-service/agent-service.ts';
import type { DoubtReason, FailureReason } from '../audit/event-types.ts';
import { backOffMs, type BackOff } from './back-off.ts';
import type { Bead } from './bead.ts';
import {
  claimedNote,
  dispatchedNote,
  failedNote,
  givenUpNote,
  reapedNote,
  releasedNote,
  supersededNote,
  unconfirmedNote,
} from './notes.ts';
import { TRANSITIONS } from './state-machine.ts';
import type { StepName } from './step.ts';
import type { Change, Transition, Verdict } from './transition.ts';

/** A bead that this process has claimed, by the token that proves it. */
export interface Claim {
  bead: Bead;
  token: string;
  /** Counted from 1. */
  attempt: number;
  /** How many rests it will have had with the next, for the back-off; at least `attempt`. */
  rests: number;
}

/** Why BeadBoard certainly did not take a bead. */
export interface Failure {
  /** `busy` costs the bead no attempt, only a rest. */
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

export interface RetryPolicy {
  maxAttempts: number;
  backOff: BackOff;
}

/** Open → in progress, if the bead is still exactly as it was looked at. */
export function claim(looked: Bead, attempt: number): Transition {
  return of('claimed', looked, (bead, now) =>
    hasMoved(looked, bead)
      ? { leave: MOVED }
      : one('claimed', {
          to: TRANSITIONS.claimed.to,
          note: claimedNote(now),
          fact: { name: TRANSITIONS.claimed.event, data: { bead: summary(bead), attempt } },
        }),
  );
}

/**
 * The bead stays as it is; the job is noted even when a person has moved the bead meanwhile, and when another
 * claim has taken the place of this one: then two jobs run, and both are on record.
 */
export function dispatched(held: Claim, jobId: string): Transition {
  return of('dispatched', held.bead, (bead) => {
    const isSuperseded = bead.step !== undefined && !isOf(held, bead);
    const change: Change = {
      note: isSuperseded ? supersededNote(jobId) : dispatchedNote(jobId),
      fact: {
        name: TRANSITIONS.dispatched.event,
        data: { bead: summary(bead), attempt: held.attempt, jobId },
      },
    };
    return {
      ...one(isSuperseded ? 'keep' : 'dispatched', change),
      about: jobId,
      intent: { forget: held.token },
    };
  });
}

/** The bead stays claimed: an agent may be at work, and only the reaper may say that it is not. */
export function unconfirmed(held: Claim, { reason, words }: Doubt): Transition {
  return of('unconfirmed', held.bead, (bead) =>
    bead.step?.token === held.token && bead.status !== 'closed'
      ? {
          ...one('unconfirmed', {
            note: unconfirmedNote(words),
            fact: {
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
export function release(looked: Bead): Transition {
  return of('released', looked, (bead) =>
    hasMoved(looked, bead)
      ? { leave: MOVED }
      : {
          ...one('released', {
            to: TRANSITIONS.released.to,
            note: releasedNote(),
            fact: {
              name: TRANSITIONS.released.event,
              data: { bead: summary(bead), reason: TRANSITIONS.released.when },
            },
          }),
          ...(looked.step === undefined ? {} : { intent: { forbid: looked.step.token } }),
        },
  );
}

/**
 * In progress → open, or → blocked after the last attempt. A bead that a person has moved in the
 * meantime keeps the status they gave it, and only gets the note.
 */
export function failed(
  { bead: claimed, token, attempt, rests }: Claim,
  { reason, words, httpStatus }: Failure,
  { maxAttempts, backOff }: RetryPolicy,
): Transition {
  return of('failed', claimed, (bead, now) => {
    if (!isOf({ token }, bead)) return { leave: NOT_OURS };
    const ours = bead.status === TRANSITIONS.failed.from && bead.assignee === claimed.assignee;
    const givesUp = ours && reason !== 'busy' && attempt >= maxAttempts;
    const wait = backOffMs(bead.id, rests, backOff);
    const failure: Change = {
      note: failedNote(words, httpStatus),
      fact: {
        name: TRANSITIONS.failed.event,
        data: {
          bead: summary(bead),
          attempt,
          reason,
          httpStatus: httpStatus ?? null,
          nextAttemptAt: givesUp || !ours ? null : new Date(now.getTime() + wait).toISOString(),
        },
      },
    };
    if (!ours) return { ...one('failed', failure), intent: { forget: token } };
    if (!givesUp) {
      return {
        ...one('failed', { ...failure, to: TRANSITIONS.failed.to }),
        intent: { forget: token },
      };
    }
    const last: Change = {
      to: TRANSITIONS['given-up'].to,
      note: givenUpNote(attempt),
      fact: {
        name: TRANSITIONS['given-up'].event,
        data: { bead: summary(bead), attempts: attempt },
      },
    };
    return { step: 'given-up', changes: [failure, last], intent: { forget: token } };
  });
}

export interface Stall {
  ageMinutes: number;
  thresholdMinutes: number;
  jobId: string | undefined;
  jobState: string | undefined;
}

/** In progress → blocked, if nobody has touched the bead since it was looked at. */
export function reap(looked: Bead, stall: Stall): Transition {
  const { ageMinutes, thresholdMinutes, jobId, jobState } = stall;
  return of('reaped', looked, (bead) =>
    hasMoved(looked, bead)
      ? { leave: MOVED }
      : one('reaped', {
          to: TRANSITIONS.reaped.to,
          note: reapedNote(ageMinutes, thresholdMinutes, evidenceOf(stall)),
          fact: {
            name: TRANSITIONS.reaped.event,
            data: {
              bead: summary(bead),
              ageMinutes,
              thresholdMinutes,
              jobId: jobId ?? null,
              jobState: jobState === NO_ANSWER ? null : (jobState ?? null),
            },
          },
        }),
  );
}

/** What is known of the job, for the note. */
function evidenceOf({ jobId, jobState }: Stall): string | undefined {
  if (jobState === undefined) return undefined;
  return jobState === NO_ANSWER
    ? `job ${jobId} could not be asked about`
    : `job ${jobId} is ${jobState}`;
}

const MOVED = 'it changed since it was looked at';
const NOT_OURS = 'the claim is not ours any more';

function of(step: StepName, { id }: Bead, decide: Transition['decide']): Transition {
  const { actor, message } = TRANSITIONS[step];
  return { beadId: id, token: uuidv7(), actor, message: `${message} ${id}`, decide };
}

/**
 * The bead's last step is this claim, or what another tick made of it when it took the claimer for
 * dead: that its outcome is unknown. An outcome that is known after all still counts.
 */
function isOf({ token }: Pick<Claim, 'token'>, { step }: Bead): boolean {
  return step?.token === token || (step?.name === 'unconfirmed' && step.about === token);
}

function one(step: StepName | 'keep', change: Change): Extract<Verdict, { step: string }> {
  return { step, changes: [change] };
}

/** A person, an agent or another tick has been there; what was decided is void. */
function hasMoved(looked: Bead, bead: Bead): boolean {
  return JSON.stringify(bead) !== JSON.stringify(looked);
}

function summary({ id, title, priority }: Bead) {
  return { id, title, priority };
}
