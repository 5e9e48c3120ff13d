import { backOffMs } from '../../shared/beads/back-off.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import type { Candidate, Look } from '../../shared/beads/look.ts';
import { MAX_ROW_BYTES } from '../../shared/beads/statements.ts';
import type { RetryPolicy } from '../../shared/beads/transitions.ts';
import type { Settings } from '../../shared/settings.ts';
import { breakerOf, type BreakerState } from './breaker.ts';

/**
 * Which beads are dispatched, and why the others are not. Pure: the same look and the same policy
 * always give the same decision.
 */

export interface Policy {
  retry: RetryPolicy;
  maxDispatchesPerTick: number;
  /** `undefined`: no bound. */
  maxInFlight: number | undefined;
}

/** @returns the policy that the settings ask for. */
export function policyOf(settings: Settings): Policy {
  return {
    retry: {
      maxAttempts: settings.MAX_ATTEMPTS,
      backOff: { baseMs: settings.RETRY_BASE_MS, maxMs: settings.RETRY_MAX_MS },
    },
    maxDispatchesPerTick: settings.MAX_DISPATCHES_PER_TICK,
    maxInFlight: settings.MAX_IN_FLIGHT,
  };
}

/** A bead to dispatch, and which attempt that is. */
export interface Eligible {
  bead: Bead;
  attempt: number;
  /** How many rests it will have had if this fails, too. */
  rests: number;
}

/** A bead that is left alone, and the reason in words for an operator. */
export interface Left {
  id: string;
  reason: string;
}

export interface Decision {
  /** Best first: by priority, then by the time of the last change, then by id. */
  eligible: Eligible[];
  left: Left[];
  breaker: BreakerState;
}

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

export function decide(look: Look, policy: Policy): Decision {
  const eligible: Eligible[] = [];
  const left: Left[] = look.bad.map(({ id, problem }) => ({
    id,
    reason: `its row does not parse: ${problem}`,
  }));
  for (const candidate of look.open) {
    const reason = reasonToLeave(candidate, look.now, policy);
    if (reason === undefined) {
      const { count, rests } = candidate.failures;
      eligible.push({ bead: candidate.bead, attempt: count + 1, rests: rests + 1 });
    } else {
      left.push({ id: candidate.bead.id, reason });
    }
  }
  const best = eligible.toSorted(byUrgency);
  const resets = look.open.flatMap(({ failures }) => failures.resetSecondsAgo ?? []);
  const breaker = breakerOf(look.misses, Math.min(...resets, Number.POSITIVE_INFINITY));
  const go = breaker.kind === 'closed' ? best.length : breaker.kind === 'half-open' ? 1 : 0;
  const rests = best.slice(go).map(({ bead }) => ({ id: bead.id, reason: whyAllRest(breaker) }));
  return { eligible: best.slice(0, go), left: [...left, ...rests], breaker };
}

/** @returns `undefined` for a bead that is to be dispatched. */
export function reasonToLeave(
  { bead, waiting, failures }: Candidate,
  now: Date,
  { retry }: Policy,
): string | undefined {
  // BeadBoard trims the id that it is given, and would dispatch another bead.
  if (bead.id.trim() !== bead.id) return 'its id begins or ends with a blank';
  if (!bead.hasAcceptanceCriteria) return 'it has no acceptance criteria';
  if (NOT_WORK.has(bead.type)) return `it is a ${bead.type}, not work`;
  if (bead.pinned) return 'it is pinned';
  if (bead.template) return 'it is a template';
  if (bead.ephemeral) return 'it is ephemeral';
  if (bead.deferUntil !== undefined && bead.deferUntil > now) {
    return `it is deferred until ${bead.deferUntil.toISOString()}`;
  }
  if (bead.rowBytes > MAX_ROW_BYTES) {
    return `it is too large: ${bead.rowBytes} bytes of text, and ${MAX_ROW_BYTES} are the most`;
  }
  if (bead.hasForeignMetadata) return 'its metadata has something else where a claim goes';
  if (waiting === 'notes-full') return 'its notes are full';
  if (waiting === 'parent-deferred') return 'its parent is deferred';
  if (waiting === 'blocked') return 'an open bead blocks it';
  if (failures.lastSecondsAgo !== undefined) {
    const restMs =
      backOffMs(bead.id, failures.rests, retry.backOff) - failures.lastSecondsAgo * 1000;
    if (restMs > 0) {
      return `it came back ${failures.rests} times and rests for another ${Math.ceil(restMs / 1000)} s`;
    }
  }
  return undefined;
}

function whyAllRest(breaker: BreakerState): string {
  return breaker.kind === 'open'
    ? `the last ${breaker.misses} dispatches failed; all rest for another ${breaker.restSeconds} s`
    : 'the last dispatches failed; one bead goes first, to see';
}

/**
 * How many beads this tick may hand over.
 * @param inFlight beads in progress for the sentinel.
 * @param freeCapacity what the agent service can start at once; `undefined` when it is not known.
 */
export function roomFor(
  { maxDispatchesPerTick, maxInFlight }: Policy,
  inFlight: number,
  freeCapacity: number | undefined,
): number {
  return Math.max(
    0,
    Math.min(
      maxDispatchesPerTick,
      (maxInFlight ?? Number.POSITIVE_INFINITY) - inFlight,
      freeCapacity ?? Number.POSITIVE_INFINITY,
    ),
  );
}

function byUrgency({ bead: a }: Eligible, { bead: b }: Eligible): number {
  return (
    a.priority - b.priority ||
    a.updatedAt.getTime() - b.updatedAt.getTime() ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}
