import type { Bead } from '../../shared/beads/rows/bead.ts';

/** A bead that is ready for the agent, but for the fields that a test is about. */
export function aBead(fields: Partial<Bead> = {}): Bead {
  return {
    id: 'code-a1',
    title: 'A bead',
    status: 'open',
    priority: 2,
    type: 'task',
    assignee: 'agent',
    hasAcceptanceCriteria: true,
    updatedAt: new Date('2026-11-21T09:00:00Z'),
    deferUntil: undefined,
    pinned: false,
    ephemeral: false,
    template: false,
    marker: undefined,
    isBlocked: false,
    wasTried: true,
    hasForeignMetadata: false,
    notesBytes: 0,
    rowBytes: 0,
    job: undefined,
    lease: undefined,
    ...fields,
  };
}
