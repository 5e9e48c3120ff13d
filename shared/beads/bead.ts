import { z } from 'zod';

import type { Row } from './session.ts';
import { CLAIMED_PREFIX } from './notes.ts';
import { parseStep, type Step } from './step.ts';
import { fromSqlTime } from './time.ts';

/**
 * A bead as the functions see it: the part of a row of bd's `issues` that a decision needs. Rows are
 * parsed one by one, because one bad row must never stop a tick.
 */

const instant = z.string().transform((value, context): Date => {
  const parsed = fromSqlTime(value);
  if (parsed !== undefined) return parsed;
  context.addIssue(`${JSON.stringify(value)} is not a time`);
  return z.NEVER;
});
const flag = z.union([z.number(), z.null()]).transform((value) => value !== null && value !== 0);

const row = z.object({
  id: z.string().min(1),
  title: z.string(),
  status: z.string().min(1),
  /** bd: 0 (critical) to 4 (backlog). */
  priority: z.int().min(0).max(4),
  issue_type: z.string(),
  assignee: z.string().nullable(),
  acceptance_criteria: z.string(),
  notes: z.string(),
  updated_at: instant,
  defer_until: instant.nullable(),
  pinned: flag,
  ephemeral: flag,
  is_template: flag,
  step: z.string().nullable(),
});

const JOB_NOTE = /^(?:dispatched: job=|claimed by agent )(\S+)$/gm;

export interface Bead {
  id: string;
  title: string;
  status: string;
  /** 0 is the most urgent, 4 the least. */
  priority: number;
  type: string;
  assignee: string;
  hasAcceptanceCriteria: boolean;
  updatedAt: Date;
  deferUntil: Date | undefined;
  pinned: boolean;
  ephemeral: boolean;
  template: boolean;
  /** What these functions last did to the bead, and under which token. */
  step: Step | undefined;
  /** The job that works on it, as BeadBoard named it or as the agent itself noted it. */
  jobId: string | undefined;
}

export type ParsedBead = { ok: true; bead: Bead } | { ok: false; id: string; problem: string };

/** The columns that {@link parseBead} reads; `step` is an expression of ours. */
export const BEAD_COLUMNS = Object.keys(row.shape).filter((column) => column !== 'step');

/**
 * @param raw one row of `issues` with the columns of {@link BEAD_COLUMNS} and `step`; times are text
 *   in UTC.
 * @returns the bead, or what is wrong with the row: a value, not an exception.
 */
export function parseBead(raw: Row): ParsedBead {
  const parsed = row.safeParse(raw);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.')}: ${issue.message}`,
    );
    return { ok: false, id: String(raw['id']), problem: problems.join('; ') };
  }
  const { issue_type, assignee, acceptance_criteria, updated_at, defer_until, is_template, step } =
    parsed.data;
  const { id, title, status, priority, notes, pinned, ephemeral } = parsed.data;
  return {
    ok: true,
    bead: {
      id,
      title,
      status,
      priority,
      type: issue_type,
      assignee: assignee ?? '',
      hasAcceptanceCriteria: acceptance_criteria.trim() !== '',
      updatedAt: updated_at,
      deferUntil: defer_until ?? undefined,
      pinned,
      ephemeral,
      template: is_template,
      step: parseStep(step),
      jobId: jobOf(notes),
    },
  };
}

/**
 * The newest job in the notes of the newest claim. The agent's first act is to note its job, so that
 * it is known even when BeadBoard's answer was lost (beads-task-runner's rails).
 */
function jobOf(notes: string): string | undefined {
  const sinceClaim = notes.slice(Math.max(0, notes.lastIndexOf(CLAIMED_PREFIX)));
  return [...sinceClaim.matchAll(JOB_NOTE)].at(-1)?.[1];
}
