import type { EventName } from '../../events/event-types.ts';
import { DISPATCHER, REAPER } from '../rows/actors.ts';
import type { MarkerName } from '../rows/claim-marker.ts';

/** Every way in which these functions change a bead: docs and diagram are generated from here. */

/** The statuses of bd that these functions set. */
export type Status = 'open' | 'in_progress' | 'blocked';

interface Rule {
  actor: typeof DISPATCHER | typeof REAPER;
  from: Status;
  to: Status;
  /** First words of the Dolt commit's message. */
  message: string;
  event: EventName;
  when: string;
}

/** The state machine: what each transition does to the status, and who says so. */
export const TRANSITIONS = {
  claimed: {
    actor: DISPATCHER,
    from: 'open',
    to: 'in_progress',
    message: 'dispatch: claim',
    event: 'dispatch.claimed.v1',
    when: 'the bead is eligible and BeadBoard is not busy',
  },
  dispatched: {
    actor: DISPATCHER,
    from: 'in_progress',
    to: 'in_progress',
    message: 'dispatch: note job',
    event: 'dispatch.dispatched.v1',
    when: 'BeadBoard named a job',
  },
  unconfirmed: {
    actor: DISPATCHER,
    from: 'in_progress',
    to: 'in_progress',
    message: 'dispatch: note doubt',
    event: 'dispatch.unconfirmed.v1',
    when: 'the answer was lost',
  },
  failed: {
    actor: DISPATCHER,
    from: 'in_progress',
    to: 'open',
    message: 'dispatch: reopen',
    event: 'dispatch.failed.v1',
    when: 'BeadBoard refused, or could not be reached',
  },
  'given-up': {
    actor: DISPATCHER,
    from: 'in_progress',
    to: 'blocked',
    message: 'dispatch: block',
    event: 'dispatch.blocked.v1',
    when: 'that was the last attempt',
  },
  released: {
    actor: REAPER,
    from: 'in_progress',
    to: 'open',
    message: 'reap: reopen',
    event: 'reap.released.v1',
    when: 'its dispatcher died before the POST',
  },
  withdrawn: {
    actor: DISPATCHER,
    from: 'in_progress',
    to: 'open',
    message: 'dispatch: withdraw',
    event: 'reap.released.v1',
    when: 'the claim could not be confirmed, so that nothing was asked of BeadBoard; counts for nothing',
  },
  reaped: {
    actor: REAPER,
    from: 'in_progress',
    to: 'blocked',
    message: 'reap: block',
    event: 'reap.blocked.v1',
    when: 'no progress for too long',
  },
} as const satisfies Record<MarkerName, Rule>;
