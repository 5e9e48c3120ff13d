import { v7 as uuidv7 } from 'uuid';

import type { Bead } from '../rows/bead.ts';
import type { Transition } from './change.ts';

/** What a person wants of a bead, written as bd would write it for them. Pure. */

/**
 * Open again: ends a back-off, a block, or a claim of which the person knows that nothing runs.
 * @param actor who bd says it was.
 * @param isUrgent also passes an open breaker, by the history row that `bd reopen` writes.
 */
export function reopen(seen: Bead, actor: string, isUrgent: boolean): Transition {
  return {
    beadId: seen.id,
    token: uuidv7(),
    actor,
    message: `bd: update ${seen.id}`,
    plan: (bead) =>
      bead.status === seen.status && bead.assignee === seen.assignee
        ? {
            marker: 'keep',
            changes: [{ to: 'open', ...(isUrgent ? { eventType: 'reopened' as const } : {}) }],
          }
        : { leave: `it is ${bead.status} and belongs to ${bead.assignee || 'nobody'} now` },
  };
}
