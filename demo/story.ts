import type { World } from '../test/world/world.ts';

/** The beads of the demo: what each shows, and how it ends. */
export interface StoryBead {
  id: string;
  title: string;
  shows: string;
  fields: Readonly<Record<string, string | number>>;
  /** The status it must have at the end. */
  endsAs: string;
  /** A note it must have at the end; none at all when empty. */
  endsWith: string;
}

export const BEADS: readonly StoryBead[] = [
  {
    id: 'code-a1',
    title: 'Draft the release notes',
    shows: 'the main job: claimed, dispatched, worked on, closed',
    fields: { assignee: 'agent', priority: 1 },
    endsAs: 'closed',
    endsWith: 'the acceptance criteria are met',
  },
  {
    id: 'code-b2',
    title: 'Announce the release',
    shows: 'it waits for code-a1, and goes when that is closed',
    fields: { assignee: 'agent', priority: 1 },
    endsAs: 'closed',
    endsWith: 'the acceptance criteria are met',
  },
  {
    id: 'code-c3',
    title: 'Compare backup tools',
    shows: 'its agent stalls; the reaper blocks it',
    fields: { assignee: 'agent', priority: 2 },
    endsAs: 'blocked',
    endsWith: 'reaper: no progress for 45m (threshold 30m) — blocking',
  },
  {
    id: 'code-d4',
    title: 'List unused dashboards',
    shows: 'BeadBoard refuses it once; it backs off, and then succeeds',
    fields: { assignee: 'agent', priority: 2 },
    endsAs: 'closed',
    endsWith: 'the acceptance criteria are met',
  },
  {
    id: 'code-e5',
    title: 'Check certificate dates',
    shows: 'the answer is lost; the claim stays, and nobody asks twice',
    fields: { assignee: 'agent', priority: 3 },
    endsAs: 'in_progress',
    endsWith: 'dispatch outcome unknown: the connection was closed before there was an answer',
  },
  {
    id: 'code-f6',
    title: 'Something with the wiki',
    shows: 'no acceptance criteria: skipped',
    fields: { assignee: 'agent', priority: 0, acceptance_criteria: '' },
    endsAs: 'open',
    endsWith: '',
  },
  {
    id: 'code-g7',
    title: 'Renew the domain',
    shows: 'assigned to a person, and so not dispatched',
    fields: { assignee: 'person', priority: 0 },
    endsAs: 'open',
    endsWith: '',
  },
];

/** The bead whose agent stalls. */
export const STALLED = 'code-c3';

/** Writes the beads, and tells the stand-ins how each of them goes. */
export async function createBeads({ tracker, agent, board }: World): Promise<void> {
  for (const { id, title, fields } of BEADS) await tracker.create(id, { title, ...fields });
  await tracker.depend('code-b2', 'code-a1', 'blocks');
  agent.behaviour.set(STALLED, 'stalls');
  const refusedOnce = new Set(['code-d4']);
  board.onPost = (id) => {
    if (refusedOnce.delete(id)) return { status: 502, json: { error: 'Queue full' } };
    return id === 'code-e5' ? 'hangup' : undefined;
  };
}

/** @returns what is not as the story tells it; nothing when all is. */
export async function differences({ tracker, board }: World): Promise<string[]> {
  const found: string[] = [];
  for (const { id, endsAs, endsWith } of BEADS) {
    const { status, notes } = await tracker.show(id);
    if (status !== endsAs) found.push(`${id} is ${status}, not ${endsAs}`);
    if (endsWith === '' ? notes !== '' : !notes.includes(endsWith)) {
      found.push(`${id} has no note "${endsWith}"`);
    }
    const accepted = board.jobs.filter(({ beadId }) => beadId === id).length;
    if (accepted > 1) found.push(`${id} was started ${accepted} times`);
  }
  return found;
}
