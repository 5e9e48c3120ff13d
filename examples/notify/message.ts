import type { EventPayload } from '../../shared/events/event-types.ts';

/** What a person reads. */
export interface Message {
  title: string;
  text: string;
  /** Whether somebody has to do something. */
  urgent: boolean;
}

const FAILURES = {
  refused: 'BeadBoard said no',
  busy: 'there was no room for it',
  unreachable: 'BeadBoard could not be reached',
};
const OUTCOMES = {
  closed: 'is done: closed',
  blocked: 'is blocked',
  reopened: 'is open again: reopened',
  'taken-over': 'was taken over',
  deleted: 'was deleted',
};
const RELEASES = {
  'dispatcher-died': 'its dispatcher died before it asked anybody',
  withdrawn: 'the claim could not be confirmed',
};
const DOUBTS = {
  'no-answer': 'BeadBoard gave no answer',
  'unclear-answer': 'BeadBoard’s answer says neither yes nor no',
  'dispatcher-died': 'the dispatcher died before it had the answer',
};

/** Turns an event into words: what happened, and what to do about it. Pure. */
export function notificationFor(fact: EventPayload): Message {
  switch (fact.name) {
    case 'dispatch.claimed.v1': {
      const { bead, attempt } = fact.data;
      return calm(`${bead.id} is claimed`, `${bead.title}\nAttempt ${attempt}.`);
    }
    case 'dispatch.dispatched.v1': {
      const { bead, jobId } = fact.data;
      return calm(`An agent works on ${bead.id}`, `${bead.title}\nJob ${jobId}.`);
    }
    case 'dispatch.failed.v1': {
      const { bead, reason, httpStatus, nextAttemptAt } = fact.data;
      const status = httpStatus === null ? '' : ` (HTTP ${httpStatus})`;
      const next =
        nextAttemptAt === null ? '' : ` It is tried again after ${clock(nextAttemptAt)}.`;
      return calm(
        `${bead.id} was not taken`,
        `${bead.title}\nBecause ${FAILURES[reason]}${status}.${next}`,
      );
    }
    case 'dispatch.unconfirmed.v1': {
      const { bead, reason } = fact.data;
      return urgent(
        `${bead.id}: an agent may or may not be at work`,
        `${bead.title}\nBecause ${DOUBTS[reason]}. Look at it, or let the reaper decide: bd show ${bead.id}`,
      );
    }
    case 'dispatch.blocked.v1': {
      const { bead, attempts } = fact.data;
      return urgent(
        `${bead.id} is blocked`,
        `${bead.title}\nGiven up after ${attempts} attempts. When the cause is gone: bd update ${bead.id} -s open`,
      );
    }
    case 'dispatch.completed.v1': {
      const { bead, outcome, by, seconds } = fact.data;
      const who = by === null ? '' : ` by ${by}`;
      const message = outcome === 'blocked' ? urgent : calm;
      return message(
        `${bead.id} ${OUTCOMES[outcome]}${who}`,
        `${bead.title}\n${minutesIn(seconds)} after its dispatch.`,
      );
    }
    case 'breaker.opened.v1': {
      const { until, failures, beads } = fact.data;
      return urgent(
        'Dispatches keep failing',
        `The last ${failures} failed, of ${beads.join(', ')}. One is tried after ${clock(until)}; to try one at once: kn beads retry ID --now`,
      );
    }
    case 'breaker.closed.v1': {
      const { seconds } = fact.data;
      return calm('Beads are dispatched again', `${minutesIn(seconds)} after dispatches failed.`);
    }
    case 'reap.blocked.v1': {
      const { bead, ageMinutes, jobState } = fact.data;
      const job = jobState === null ? '' : ` Its job is ${jobState}.`;
      return urgent(
        `${bead.id} stalled and is blocked`,
        `${bead.title}\nNo progress for ${ageMinutes} minutes.${job} To try again: bd update ${bead.id} -s open`,
      );
    }
    case 'reap.released.v1': {
      const { bead, reason } = fact.data;
      return calm(`${bead.id} is open again`, `${bead.title}\nBecause ${RELEASES[reason]}.`);
    }
    case 'dispatch.due.v1':
    case 'reap.due.v1': {
      const what = fact.name === 'reap.due.v1' ? 'reap' : 'dispatch';
      return calm(`There is something to ${what}`, `Beads that wait for it: ${fact.data.beads}.`);
    }
    case 'tick.failed.v1': {
      const { function: name, code, message } = fact.data;
      return urgent(`${name} could not do its work: ${code}`, message);
    }
  }
}

/** Whole minutes, in words. */
function minutesIn(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes === 0) return 'Less than a minute';
  return minutes === 1 ? 'One minute' : `${minutes} minutes`;
}

const calm = (title: string, text: string): Message => ({ title, text, urgent: false });
const urgent = (title: string, text: string): Message => ({ title, text, urgent: true });
const clock = (time: string) => `${time.slice(11, 16)} UTC`;
