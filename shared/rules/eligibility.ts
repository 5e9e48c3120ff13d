import type { Bead } from '../beads/rows/bead.ts';
import { MAX_ROW_BYTES } from '../beads/rows/statements.ts';
import type { BlockedBy, Candidate, Snapshot } from '../beads/snapshot.ts';
import { nextAttemptAt } from './back-off.ts';
import { breakerOf, type BreakerState } from './breaker.ts';
import type { Policy } from './policy.ts';
import { reasonOf, skip, type Reason, type SkipCode, type Skipped } from './reasons.ts';

/**
 * Which beads are dispatched, and why the others are not. Pure: the same snapshot and the same
 * policy always give the same decision.
 */

/** A bead to dispatch, and which attempt that is. */
export interface Eligible {
  bead: Bead;
  attempt: number;
  /** For how many failures it backs off if this one fails, too. */
  backOffCount: number;
}

export interface DispatchDecision {
  /** Best first: by priority, then by the time of the last change, then by id. */
  eligible: Eligible[];
  skipped: Skipped[];
  breaker: BreakerState;
}

export function decideDispatch(snapshot: Snapshot, policy: Policy): DispatchDecision {
  const { now, open, badRows, misses } = snapshot;
  const eligible: Eligible[] = [];
  const skipped: Skipped[] = badRows.map(({ id, problem }) =>
    skip(id, reasonOf('bad-row', { problem })),
  );
  for (const candidate of open) {
    const reason = skipReason(candidate, now, policy);
    if (reason === undefined) eligible.push(eligibleOf(candidate));
    else skipped.push(skip(candidate.bead.id, reason));
  }
  const wished = lastReopened(open);
  const breaker = breakerOf(misses, wished?.secondsAgo);
  const ranked = eligible.toSorted(byUrgency);
  // A half-open breaker tries the bead that a person asked for.
  const best =
    breaker.kind === 'half-open'
      ? ranked.toSorted(
          (a, b) => Number(b.bead.id === wished?.id) - Number(a.bead.id === wished?.id),
        )
      : ranked;
  const tried = breaker.kind === 'closed' ? best.length : breaker.kind === 'half-open' ? 1 : 0;
  const heldBack = best.slice(tried).map(({ bead }) => skip(bead.id, breakerReason(breaker, now)));
  return { eligible: best.slice(0, tried), skipped: [...skipped, ...heldBack], breaker };
}

/** @returns the open bead that a person asked for last; `undefined` without such a wish. */
function lastReopened(open: readonly Candidate[]): { id: string; secondsAgo: number } | undefined {
  const wishes = open.flatMap(({ bead: { id }, failures: { reopenedSecondsAgo: secondsAgo } }) =>
    secondsAgo === undefined ? [] : [{ id, secondsAgo }],
  );
  return wishes.toSorted((a, b) => a.secondsAgo - b.secondsAgo)[0];
}

/** One condition of a bead, as it is met or not. */
export interface Condition {
  name: string;
  /** Why it is not met; `undefined` when it is. */
  reason: Reason | undefined;
}

/** @returns all conditions of one bead, in the order in which they decide. */
export function conditionsOf(candidate: Candidate, now: Date, policy: Policy): Condition[] {
  return CONDITIONS.map(({ name, check }) => ({ name, reason: check(candidate, now, policy) }));
}

/** @returns the reason that decides, or `undefined` for a bead that is to be dispatched. */
export function skipReason(candidate: Candidate, now: Date, policy: Policy): Reason | undefined {
  return conditionsOf(candidate, now, policy).find(({ reason }) => reason !== undefined)?.reason;
}

function eligibleOf({ bead, failures }: Candidate): Eligible {
  return { bead, attempt: failures.count + 1, backOffCount: failures.backOffCount + 1 };
}

type Check = (candidate: Candidate, now: Date, policy: Policy) => Reason | undefined;

const when = (isMissed: boolean, code: SkipCode) => (isMissed ? reasonOf(code) : undefined);
const blockedBy =
  (cause: BlockedBy, code: SkipCode): Check =>
  (candidate) =>
    when(candidate.blockedBy === cause, code);

/** bd's types for its own plumbing; `bd ready` leaves them out too (readyWorkExcludeTypes). */
const NOT_WORK: ReadonlySet<string> = new Set([
  'gate',
  'molecule',
  'message',
  'merge-request',
  'agent',
  'role',
  'rig',
]);

const CONDITIONS: readonly { name: string; check: Check }[] = [
  // BeadBoard trims the id that it is given, and would dispatch another bead.
  { name: 'id', check: ({ bead }) => when(bead.id.trim() !== bead.id, 'bad-id') },
  {
    name: 'acceptance criteria',
    check: ({ bead }) => when(!bead.hasAcceptanceCriteria, 'no-acceptance-criteria'),
  },
  {
    name: 'type',
    check: ({ bead: { type } }) =>
      NOT_WORK.has(type) ? reasonOf('not-work', { type }) : undefined,
  },
  { name: 'not pinned', check: ({ bead }) => when(bead.pinned, 'pinned') },
  { name: 'not a template', check: ({ bead }) => when(bead.template, 'template') },
  { name: 'not ephemeral', check: ({ bead }) => when(bead.ephemeral, 'ephemeral') },
  {
    name: 'not deferred',
    check: ({ bead: { deferUntil: until } }, now) =>
      until !== undefined && until > now ? reasonOf('deferred', { until }) : undefined,
  },
  {
    name: 'size',
    check: ({ bead: { rowBytes: bytes } }) =>
      bytes > MAX_ROW_BYTES ? reasonOf('too-large', { bytes, maxBytes: MAX_ROW_BYTES }) : undefined,
  },
  { name: 'metadata', check: ({ bead }) => when(bead.hasForeignMetadata, 'foreign-metadata') },
  { name: 'room for notes', check: blockedBy('full-notes', 'full-notes') },
  { name: 'parent not deferred', check: blockedBy('deferred-parent', 'deferred-parent') },
  { name: 'no open blocker', check: blockedBy('blocker', 'blocked') },
  {
    name: 'back-off',
    check: ({ bead, failures }, now, { retry }) => {
      const { backOffCount, lastSecondsAgo = Number.POSITIVE_INFINITY } = failures;
      if (!Number.isFinite(lastSecondsAgo)) return undefined;
      const lastAt = new Date(now.getTime() - lastSecondsAgo * 1000);
      const until = nextAttemptAt(bead.id, backOffCount, lastAt, retry.backOff);
      return until > now ? reasonOf('back-off', { until, count: backOffCount }) : undefined;
    },
  },
];

function breakerReason(breaker: BreakerState, now: Date): Reason {
  if (breaker.kind !== 'open') return reasonOf('breaker-half-open');
  const until = new Date(now.getTime() + breaker.restSeconds * 1000);
  return reasonOf('breaker-open', { until, count: breaker.misses });
}

function byUrgency({ bead: a }: Eligible, { bead: b }: Eligible): number {
  return (
    a.priority - b.priority ||
    a.updatedAt.getTime() - b.updatedAt.getTime() ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}
