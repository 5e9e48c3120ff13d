import type { MarkerName } from '../beads/rows/claim-marker.ts';
import { transitionIn, type PastChange } from '../beads/rows/past-change.ts';

/** How long one thing took: until a bead was dispatched, or until its dispatch came to an end. */
export interface Duration {
  of: 'pickup' | 'run';
  seconds: number;
}

interface BeadTimes {
  /** When it last became the agent's to take. */
  since: Date | undefined;
  dispatchedAt: Date | undefined;
}

/**
 * Finds durations in the history of beads, row by row. A pickup counts from the last change that
 * made a bead the agent's to take: created, assigned, opened by a person, or given back after a
 * failure. bd's history does not say when the last blocker of a bead was closed, so that a bead that
 * waited for one counts from before. A run counts from the dispatch to its end, by whomever.
 */
export class DurationFinder {
  readonly #sentinel: string;
  readonly #beads = new Map<string, BeadTimes>();

  constructor(sentinel: string) {
    this.#sentinel = sentinel;
  }

  /** @param change the next one; those of one bead in their order. @returns what has ended with it. */
  next(change: PastChange): Duration[] {
    const { beadId, at } = change;
    const times = this.#beads.get(beadId) ?? { since: undefined, dispatchedAt: undefined };
    const { since, dispatchedAt } = times;
    const kind = kindOf(change, this.#sentinel);
    const found: Duration[] = [];
    if (kind === 'dispatched') {
      if (since !== undefined) found.push({ of: 'pickup', seconds: between(since, at) });
      this.#beads.set(beadId, { since: undefined, dispatchedAt: at });
      return found;
    }
    const isEnd = kind === 'takeable' || kind === 'ended';
    if (isEnd && dispatchedAt !== undefined) {
      found.push({ of: 'run', seconds: between(dispatchedAt, at) });
    }
    if (kind === 'takeable') this.#beads.set(beadId, { since: at, dispatchedAt: undefined });
    // What has ended needs no memory until it is opened again.
    if (kind === 'ended') this.#beads.delete(beadId);
    return found;
  }
}

const between = (from: Date, to: Date) => Math.max(0, (to.getTime() - from.getTime()) / 1000);

type Kind = 'takeable' | 'dispatched' | 'ended' | 'other';

const OUR_KINDS: Readonly<Record<MarkerName, Kind>> = {
  claimed: 'other',
  dispatched: 'dispatched',
  unconfirmed: 'other',
  failed: 'takeable',
  released: 'takeable',
  withdrawn: 'takeable',
  'given-up': 'ended',
  reaped: 'ended',
};

function kindOf(change: PastChange, sentinel: string): Kind {
  const { type, status, assignee } = change;
  const transition = transitionIn(change);
  if (transition !== undefined) return OUR_KINDS[transition];
  if (type === 'closed' || status === 'closed' || status === 'blocked') return 'ended';
  if (type === 'created' || type === 'reopened' || status === 'open') return 'takeable';
  if (assignee === undefined) return 'other';
  return assignee === sentinel ? 'takeable' : 'ended';
}
