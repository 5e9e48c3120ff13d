import type { Misses } from '../beads/rows/history.ts';
import type { EventPayload } from '../events/event-types.ts';

/**
 * The breaker over all beads: when dispatches keep failing, BeadBoard or the agent service is at
 * fault, and trying on would spend the attempts of one bead after the other. Its state is bd's
 * history, so that it survives a pod that scales to zero. Pure.
 */
export type BreakerState =
  | { kind: 'closed' }
  /** The rest is over; one bead is tried, and its outcome decides. */
  | { kind: 'half-open' }
  | { kind: 'open'; misses: number; restSeconds: number };

/** Misses in a row after which ticks rest; one bead's own back-off reaches it only after hours. */
const MISSES_TO_OPEN = 5;
/** One or two beads that keep failing are their own problem, and their back-off deals with them. */
const BEADS_TO_OPEN = 3;
/**
 * The first rest, doubled with each further miss. Shorter than a tick's interval it would be none.
 */
const FIRST_REST_SECONDS = 180;
/** An outage that ended is noticed after at most this. */
const LONGEST_REST_SECONDS = 900;

/**
 * @param misses failed or unknown outcomes since the last success, of all beads.
 * @param reopenedSecondsAgo when a person last reopened one of the beads that were tried (`kn beads
 *   retry --now`): whoever does that after the last miss wants it to be tried now.
 */
export function breakerOf(
  { count, beads, lastSecondsAgo }: Misses,
  reopenedSecondsAgo = Number.POSITIVE_INFINITY,
): BreakerState {
  if (count < MISSES_TO_OPEN || beads.length < BEADS_TO_OPEN || lastSecondsAgo === undefined) {
    return { kind: 'closed' };
  }
  const wanted = FIRST_REST_SECONDS * 2 ** Math.min(count - MISSES_TO_OPEN, 10);
  const rest = Math.min(LONGEST_REST_SECONDS, wanted) - lastSecondsAgo;
  if (reopenedSecondsAgo < lastSecondsAgo) return { kind: 'half-open' };
  return rest > 0 ? { kind: 'open', misses: count, restSeconds: rest } : { kind: 'half-open' };
}

type BreakerTold = Extract<EventPayload, { name: 'breaker.opened.v1' | 'breaker.closed.v1' }>;

/**
 * What is to be told of the breaker.
 * @param openedAt when it was last told to have opened; `undefined` when it is closed, as far as was
 *   told.
 * @param now the server's time.
 * @returns `undefined` when it is as it was told.
 */
export function breakerNews(
  misses: Misses,
  openedAt: Date | undefined,
  now: Date,
): { payload: BreakerTold; at: Date } | undefined {
  const breaker = breakerOf(misses);
  if (breaker.kind === 'closed') {
    if (openedAt === undefined) return undefined;
    const seconds = Math.max(0, Math.round((now.getTime() - openedAt.getTime()) / 1000));
    return { at: now, payload: { name: 'breaker.closed.v1', data: { seconds } } };
  }
  if (openedAt !== undefined) return undefined;
  const restMs = breaker.kind === 'open' ? breaker.restSeconds * 1000 : 0;
  const until = new Date(now.getTime() + restMs).toISOString();
  const { count: failures, beads } = misses;
  const data = { until, failures, beads: [...beads] };
  return { at: now, payload: { name: 'breaker.opened.v1', data } };
}
