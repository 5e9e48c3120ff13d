import * as z from 'zod';

import type { Overview } from '../beads/inspector.ts';
import { TRANSITION_NAMES } from '../beads/rows/claim-marker.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import { nextTick, NOT_ASKED } from '../rules/next-tick.ts';
import type { Policy } from '../rules/policy.ts';
import { SKIP_CODES, type SkipCode, type Skipped } from '../rules/reasons.ts';
import { ageSeconds } from './age.ts';
import { count, seconds, utc } from './fields.ts';

/**
 * How the dispatch of beads stands: the shape of `kn beads status -o json` and of `/api/v1/state`.
 */
export const statusView = z.object({
  at: utc.describe("The database's clock."),
  assignee: z.string().describe('Whose beads are dispatched.'),
  paused: z.boolean().describe('Whether PAUSED is set here.'),
  breaker: z.object({
    state: z.enum(['closed', 'half-open', 'open']),
    until: utc.nullable(),
    failures: count.describe('In a row, over all beads.'),
  }),
  counts: z.object({
    eligible: count,
    backOff: count,
    inProgress: count,
    skipped: count,
    blocked: count,
  }),
  backOffUntil: z
    .object({ first: utc, last: utc })
    .nullable()
    .describe('When the first and the last back-off ends; null when no bead backs off.'),
  skippedBy: z
    .partialRecord(z.enum(SKIP_CODES), count)
    .describe('Beads that are not dispatched, by the code of the reason.'),
  oldestEligibleAgeSeconds: seconds,
  outbox: z.object({
    events: count,
    parked: count.describe('Events that the sink did not take.'),
    oldestAgeSeconds: seconds,
    retryAt: utc.nullable(),
    isAway: z.boolean().describe('Whether the sink takes nothing at all.'),
    problem: z
      .string()
      .nullable()
      .describe('Why the sink is away, or what it last said of a parked event.'),
  }),
  today: z
    .partialRecord(z.enum(TRANSITION_NAMES), count)
    .describe('Transitions of the last 24 hours.'),
  nearMisses: z
    .array(z.object({ assignee: z.string(), beads: count, example: z.string() }))
    .describe('Open beads whose assignee differs from the sentinel by case or one letter.'),
});
export type StatusView = z.output<typeof statusView>;

export interface StatusInput {
  snapshot: Snapshot;
  policy: Policy;
  assignee: string;
  paused: boolean;
  overview: Overview;
}

/** Pure; decides with the dispatcher's own rules. */
export function statusOf(input: StatusInput): StatusView {
  const { snapshot, policy, assignee, paused, overview } = input;
  const { now, inProgress, outbox, misses } = snapshot;
  const { dispatch, waiting, skipped, breaker } = nextTick(snapshot, policy, NOT_ASKED);
  const eligible = [...dispatch, ...waiting];
  const skippedBy: Partial<Record<SkipCode, number>> = {};
  for (const { code } of skipped) skippedBy[code] = (skippedBy[code] ?? 0) + 1;
  const away = awayProblem(outbox.unsentSince, overview.sinkAway);
  const backOff = skippedBy['back-off'] ?? 0;
  return {
    at: now.toISOString(),
    assignee,
    paused,
    breaker: {
      state: breaker.kind,
      until:
        breaker.kind === 'open'
          ? new Date(now.getTime() + breaker.restSeconds * 1000).toISOString()
          : null,
      failures: misses.count,
    },
    counts: {
      eligible: eligible.length,
      backOff,
      inProgress: inProgress.length,
      skipped: skipped.length - backOff,
      blocked: overview.blocked.length,
    },
    backOffUntil: backOffUntil(skipped),
    skippedBy,
    oldestEligibleAgeSeconds: Math.max(
      0,
      ...eligible.map(({ bead }) => ageSeconds(bead.updatedAt, now)),
    ),
    outbox: {
      events: overview.outboxEvents,
      parked: outbox.parked,
      oldestAgeSeconds:
        overview.outboxSince === undefined ? 0 : ageSeconds(overview.outboxSince, now),
      retryAt: outbox.retryAt?.toISOString() ?? null,
      isAway: away !== undefined,
      problem: away ?? overview.problem ?? null,
    },
    today: overview.today,
    nearMisses: overview.assignees.filter((each) => isNearMiss(each.assignee, assignee)),
  };
}

/** A sink that was away is back when what waited then was taken. */
function awayProblem(
  unsentSince: Date | undefined,
  sinkAway: Overview['sinkAway'],
): string | undefined {
  if (unsentSince === undefined || sinkAway === undefined) return undefined;
  return unsentSince <= sinkAway.at ? sinkAway.problem : undefined;
}

function backOffUntil(skipped: readonly Skipped[]): StatusView['backOffUntil'] {
  const times = skipped
    .flatMap(({ code, until }) => (code === 'back-off' && until !== undefined ? [until] : []))
    .map((until) => until.toISOString())
    .toSorted();
  const [first, last = first] = [times[0], times.at(-1)];
  return first === undefined || last === undefined ? null : { first, last };
}

/** Past this an event should have been sent: a tick of either function tries again within it. */
const LATE_SECONDS = 900;

/** @returns what an operator should look at; empty when all is well. */
export function problemsOf({ breaker, outbox, nearMisses }: StatusView): string[] {
  return [
    ...(breaker.state === 'open' ? [`the breaker is open after ${breaker.failures} failures`] : []),
    ...(outbox.parked > 0 ? [`the sink does not take ${outbox.parked} events`] : []),
    ...(outbox.isAway ? [`the sink is away: ${outbox.problem}`] : []),
    ...(outbox.oldestAgeSeconds > LATE_SECONDS ? ['events wait for the sink'] : []),
    ...nearMisses.map(({ assignee, example }) => `${example} belongs to "${assignee}"`),
  ];
}

/**
 * Whether a name is another one that differs by case or by one letter (added, missing, wrong or
 * swapped).
 */
export function isNearMiss(name: string, wanted: string): boolean {
  if (name === wanted) return false;
  const [a, b] = [name.trim().toLowerCase(), wanted.toLowerCase()];
  if (a === b) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  const start = Array.from(a).findIndex((letter, index) => letter !== b.charAt(index));
  const at = start === -1 ? a.length : start;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  const isSwapped =
    restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
  return (
    restA.slice(1) === restB.slice(1) ||
    restA === restB.slice(1) ||
    restA.slice(1) === restB ||
    isSwapped
  );
}
