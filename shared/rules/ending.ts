import type { ParsedBead } from '../beads/rows/bead.ts';
import type { FollowUp } from '../beads/rows/follow-up.ts';
import { isOurs, type PastChange } from '../beads/rows/past-change.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import type { EventPayload } from '../events/event-types.ts';

/** Which dispatches have ended, and how. Pure. */

type Completed = Extract<EventPayload, { name: 'dispatch.completed.v1' }>;
type Outcome = Completed['data']['outcome'];

/**
 * @returns the dispatches whose bead is not in progress under their token any more; that of a bead
 *   whose row cannot be read is left for later.
 */
export function endedIn({ followUps, inProgress, badRows }: Snapshot): FollowUp[] {
  const running = new Set(inProgress.map(({ marker }) => marker?.token));
  const unreadable = new Set(badRows.map(({ id }) => id));
  return followUps.dispatches.filter(
    ({ token, bead }) => !running.has(token) && !unreadable.has(bead.id),
  );
}

/** @returns how the dispatch has ended; `undefined` when it has not, or nobody can tell yet. */
function outcomeOf(
  { token }: FollowUp,
  found: ParsedBead | undefined,
  sentinel: string,
): Outcome | undefined {
  if (found === undefined) return 'deleted';
  if (!found.ok) return undefined;
  const { status, assignee, marker } = found.bead;
  if (status === 'closed' || status === 'blocked') return status;
  if (status !== 'in_progress') return 'reopened';
  if (assignee !== sentinel) return 'taken-over';
  return marker?.token === token ? undefined : 'reopened';
}

/**
 * What is told of a dispatch that has ended.
 * @param found the bead as it is now, wherever it was renamed to; `undefined` when it was deleted.
 * @param changes the bead's history, the oldest first.
 * @param now the server's time.
 * @returns `undefined` when it has not ended.
 */
export function completionOf(
  followUp: FollowUp,
  found: ParsedBead | undefined,
  changes: readonly PastChange[],
  now: Date,
  sentinel: string,
): { payload: Completed; at: Date } | undefined {
  const outcome = outcomeOf(followUp, found, sentinel);
  if (outcome === undefined) return undefined;
  const { token, bead, attempt, jobId, at } = followUp;
  // bd keeps whole seconds.
  const since = Math.floor(at.getTime() / 1000) * 1000;
  const end = changes.findLast(
    (change) => !isOurs(change) && change.at.getTime() >= since && isEnd(change, outcome),
  );
  const endedAt = new Date(Math.max(at.getTime(), end?.at.getTime() ?? now.getTime()));
  const current = found?.ok === true ? found.bead : bead;
  return {
    at: endedAt,
    payload: {
      name: 'dispatch.completed.v1',
      data: {
        bead: { id: current.id, title: current.title, priority: current.priority },
        attempt,
        jobId,
        dispatchId: token,
        outcome,
        status: found?.ok === true ? found.bead.status : null,
        by: end?.actor ?? null,
        seconds: Math.round((endedAt.getTime() - at.getTime()) / 1000),
      },
    },
  };
}

function isEnd({ type, status, assignee }: PastChange, outcome: Outcome): boolean {
  switch (outcome) {
    case 'closed':
      return type === 'closed' || status === 'closed';
    case 'blocked':
      return status === 'blocked';
    case 'reopened':
      return type === 'reopened' || (status !== undefined && status !== 'in_progress');
    case 'taken-over':
      return assignee !== undefined || type === 'claimed';
    case 'deleted':
      return false;
  }
}
