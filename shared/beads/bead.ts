import * as z from 'zod';

import type { Row } from './session.ts';
import { CLAIMED_PREFIX } from './notes.ts';
import { parseStep, STEP_KEY, type Step } from './step.ts';
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
  started_at: instant.nullable(),
  pinned: flag,
  ephemeral: flag,
  is_template: flag,
  step: z.string().nullable(),
  notes_bytes: z.number(),
  metadata_type: z.string().nullable(),
  /** Not before bd kept it. */
  is_blocked: flag.optional(),
  lease_expires_at: instant.nullable(),
  heartbeat_at: instant.nullable(),
});

/** A job of the agent service, and who said that it works on the bead. */
export interface Job {
  id: string;
  from: 'beadboard' | 'agent';
}

const DISPATCHED_NOTE = /^dispatched: job=(\S+)$/gm;
/** The agent's first act; BeadBoard's prompt does not tell it the id, so that it may be anything. */
const AGENT_NOTE = /^claimed by agent ([0-9a-f]{12})$/gm;

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
  /** As bd keeps it in the row; `false` where it does not. */
  isBlocked: boolean;
  /**
   * Somebody began with it once: one that has no step and never started has not failed either, unless a row from
   * before was imported since (docs/decisions/0003).
   */
  wasTried: boolean;
  /** Something that is not ours stands where the token must go, so that the bead cannot be claimed. */
  hasForeignMetadata: boolean;
  notesBytes: number;
  /** The job that works on it. */
  job: Job | undefined;
  /** Of the worker that claimed it with bd, where bd has leases. */
  lease: Lease | undefined;
}

/** A live claim by bd's own rules: its holder renews it by heartbeats, which leave `updatedAt` as it is. */
export interface Lease {
  expiresAt: Date;
  heartbeatAt: Date;
}

export type ParsedBead = { ok: true; bead: Bead } | { ok: false; id: string; problem: string };

/** What {@link parseBead} reads beside the columns of `issues`. */
export const BEAD_EXPRESSIONS = `
  JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${STEP_KEY}')) AS step,
  OCTET_LENGTH(notes) AS notes_bytes,
  IF(metadata IS NULL, NULL, JSON_TYPE(metadata)) AS metadata_type`;

const NO_COLUMN = new Set([
  'step',
  'notes_bytes',
  'metadata_type',
  'is_blocked',
  'lease_expires_at',
  'heartbeat_at',
]);

/** The columns of `issues` that {@link parseBead} reads. */
export const BEAD_COLUMNS = Object.keys(row.shape).filter((name) => !NO_COLUMN.has(name));

/**
 * @param raw one row with {@link BEAD_COLUMNS}, {@link BEAD_EXPRESSIONS} and the bead's lease; times are
 *   text in UTC.
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
  const { issue_type, assignee, acceptance_criteria, updated_at, defer_until, started_at } =
    parsed.data;
  const { is_template, step, notes_bytes, metadata_type } = parsed.data;
  const { id, title, status, priority, notes, pinned, ephemeral } = parsed.data;
  const { lease_expires_at: expiresAt, heartbeat_at: heartbeatAt } = parsed.data;
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
      isBlocked: parsed.data.is_blocked ?? false,
      wasTried: step !== null || started_at !== null,
      hasForeignMetadata:
        (metadata_type !== null && metadata_type !== 'OBJECT') ||
        (step !== null && parseStep(step) === undefined),
      notesBytes: notes_bytes,
      job: jobOf(notes),
      lease: expiresAt === null || heartbeatAt === null ? undefined : { expiresAt, heartbeatAt },
    },
  };
}

/**
 * The job in the notes since the newest claim: BeadBoard's word if there is one, else the agent's,
 * which is known even when BeadBoard's answer was lost.
 */
function jobOf(notes: string): Job | undefined {
  const sinceClaim = notes.slice(Math.max(0, notes.lastIndexOf(CLAIMED_PREFIX)));
  const named = [...sinceClaim.matchAll(DISPATCHED_NOTE)].at(-1)?.[1];
  if (named !== undefined) return { id: named, from: 'beadboard' };
  const noted = [...sinceClaim.matchAll(AGENT_NOTE)].at(-1)?.[1];
  return noted === undefined ? undefined : { id: noted, from: 'agent' };
}
