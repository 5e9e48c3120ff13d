import { transitionIn, type PastChange } from '../beads/rows/past-change.ts';

/** One line of a bead's story. */
export interface StoryLine {
  /** As ISO 8601 in UTC. */
  at: string;
  /** Since the line before. */
  gapSeconds: number;
  actor: string;
  what: string;
}

/** The story of one bead: the shape of `kn beads history -o json`. */
export interface StoryView {
  id: string;
  /** Claims that were not withdrawn or released. */
  attempts: number;
  /** From the first claim to the close; `null` while it is open. */
  seconds: number | null;
  lines: StoryLine[];
}

/** @param changes of one bead, the oldest first. Pure. */
export function storyOf(id: string, changes: readonly PastChange[]): StoryView {
  const lines = changes.map((change, index) => ({
    at: change.at.toISOString(),
    gapSeconds: gap(changes[index - 1]?.at, change.at),
    actor: change.actor,
    what: whatIn(change),
  }));
  const first = changes.find(({ status }) => status === 'in_progress');
  const closed = changes.findLast(({ type, status }) => type === 'closed' || status === 'closed');
  return {
    id,
    attempts: changes.filter((change) => transitionIn(change) === 'claimed').length,
    seconds: first === undefined || closed === undefined ? null : gap(first.at, closed.at),
    lines,
  };
}

function gap(from: Date | undefined, to: Date): number {
  return from === undefined ? 0 : Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
}

/** What happened, in the words of the note where there is one. */
export function whatIn({ type, status, assignee, note }: PastChange): string {
  if (type === 'created') return 'created';
  if (type === 'closed') return 'closed';
  const parts = [
    ...(assignee === undefined
      ? []
      : [assignee === '' ? 'assigned to nobody' : `assigned to ${assignee}`]),
    ...(note === undefined ? [] : [note]),
    ...(status === undefined ? [] : [`→ ${status}`]),
  ];
  return parts.length === 0 ? type : parts.join(' ');
}
