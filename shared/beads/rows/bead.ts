import * as z from 'zod';

import type { Row } from '../sql/connection.ts';
import { CLAIMED_PREFIX, jobIn, type Job } from './notes.ts';
import { parseMarker, MARKER_CHARACTERS, MARKER_KEY, type ClaimMarker } from './claim-marker.ts';
import { fromSqlTime } from '../sql/time.ts';

/**
 * A bead as the functions see it: the part of a row of bd's `issues` that a decision needs. Rows
 * are parsed one by one, because one bad row must never stop a tick.
 */

const instant = z.string().transform((value, context): Date => {
  const parsed = fromSqlTime(value);
  if (parsed !== undefined) return parsed;
  context.addIssue(`${JSON.stringify(value)} is not a time`);
  return z.NEVER;
});
/** A server's BIGINT may come as text. */
const bytes = z.coerce.number().int().min(0);
const flag = z.union([z.number(), z.null()]).transform((value) => value !== null && value !== 0);

const row = z.object({
  id: z.string().min(1),
  title: z.string(),
  status: z.string().min(1),
  /** bd: 0 (critical) to 4 (backlog). */
  priority: z.int().min(0).max(4),
  issue_type: z.string(),
  assignee: z.string().nullable(),
  updated_at: instant,
  defer_until: instant.nullable(),
  started_at: instant.nullable(),
  pinned: flag,
  ephemeral: flag,
  is_template: flag,
  marker: z.string().nullable(),
  acceptance_start: z.string(),
  notes_since_claim: z.string(),
  notes_bytes: bytes,
  row_bytes: bytes,
  metadata_type: z.string().nullable(),
  /** Not before bd kept it. */
  is_blocked: flag.optional(),
  lease_expires_at: instant.nullable(),
  heartbeat_at: instant.nullable(),
});

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
  marker: ClaimMarker | undefined;
  /** As bd keeps it in the row; `false` where it does not. */
  isBlocked: boolean;
  /**
   * Somebody began with it once: one that has no marker and never started has not failed either,
   * unless a row from before was imported since (docs/decisions/0003).
   */
  wasTried: boolean;
  /**
   * Something that is not ours stands where the token must go, so that the bead cannot be claimed.
   */
  hasForeignMetadata: boolean;
  notesBytes: number;
  /** Of all its texts together, the metadata among them. */
  rowBytes: number;
  /** The job that works on it, or did until a person reopened the bead. */
  job: Job | undefined;
  /** Of the worker that claimed it with bd, where bd has leases. */
  lease: Lease | undefined;
}

/**
 * A live claim by bd's own rules: its holder renews it by heartbeats, which leave `updatedAt` as it
 * is.
 */
export interface Lease {
  expiresAt: Date;
  heartbeatAt: Date;
}

export type ParsedBead = { ok: true; bead: Bead } | { ok: false; id: string; problem: string };

/** A bead whose criteria begin with more blanks than this has none. */
const CRITERIA_CHARACTERS = 200;
/** The claim's time, the job and the agent's first note follow each other at once. */
const NOTES_CHARACTERS = 2_000;

/** Bytes of all texts of one row that have no small bound of their own. */
export const ROW_BYTES_SQL = `
  (OCTET_LENGTH(description) + OCTET_LENGTH(design) + OCTET_LENGTH(acceptance_criteria)
   + OCTET_LENGTH(notes) + COALESCE(OCTET_LENGTH(close_reason), 0)
   + COALESCE(OCTET_LENGTH(metadata), 0))`;

/**
 * What {@link parseBead} reads beside the columns of `issues`. Texts of any size stay on the
 * server: bd makes a bead of 10 MB from a file, and a snapshot has room for thousands of beads.
 */
export const BEAD_EXPRESSIONS = `
  LEFT(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${MARKER_KEY}')), ${MARKER_CHARACTERS}) AS marker,
  LEFT(TRIM(acceptance_criteria), ${CRITERIA_CHARACTERS}) AS acceptance_start,
  IF(started_at IS NULL, '', LEFT(SUBSTRING_INDEX(
    CONCAT('\n', notes), '\n${CLAIMED_PREFIX}', -1), ${NOTES_CHARACTERS})) AS notes_since_claim,
  OCTET_LENGTH(notes) AS notes_bytes,
  ${ROW_BYTES_SQL} AS row_bytes,
  IF(metadata IS NULL, NULL, JSON_TYPE(metadata)) AS metadata_type`;

/** The names in {@link BEAD_EXPRESSIONS}, and of the lease: no columns of `issues`. */
export const EXPRESSION_NAMES = [
  'marker',
  'acceptance_start',
  'notes_since_claim',
  'notes_bytes',
  'row_bytes',
  'metadata_type',
  'lease_expires_at',
  'heartbeat_at',
] as const;

const NO_COLUMN: ReadonlySet<string> = new Set([...EXPRESSION_NAMES, 'is_blocked']);

/** The columns of `issues` that {@link parseBead} reads. */
export const BEAD_COLUMNS = Object.keys(row.shape).filter((name) => !NO_COLUMN.has(name));

/**
 * @param raw one row with {@link BEAD_COLUMNS}, {@link BEAD_EXPRESSIONS} and the bead's lease;
 *   times are text in UTC.
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
  const { issue_type, assignee, updated_at, defer_until, started_at } = parsed.data;
  const { is_template, marker: cell, notes_bytes, row_bytes, metadata_type } = parsed.data;
  const { id, title, status, priority, pinned, ephemeral } = parsed.data;
  const marker = parseMarker(cell);
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
      hasAcceptanceCriteria: parsed.data.acceptance_start.trim() !== '',
      updatedAt: updated_at,
      deferUntil: defer_until ?? undefined,
      pinned,
      ephemeral,
      template: is_template,
      marker,
      isBlocked: parsed.data.is_blocked ?? false,
      wasTried: cell !== null || started_at !== null,
      hasForeignMetadata: !canHoldMarker(metadata_type) || (cell !== null && marker === undefined),
      notesBytes: notes_bytes,
      rowBytes: row_bytes,
      job: jobOf(marker, parsed.data.notes_since_claim),
      lease: expiresAt === null || heartbeatAt === null ? undefined : { expiresAt, heartbeatAt },
    },
  };
}

/**
 * Whether a key can be set in metadata of this JSON type; in an array or a string it gets lost
 * without an error.
 */
export const canHoldMarker = (type: string | number | null | undefined) =>
  type === null || type === 'OBJECT' || type === 'NULL';

/**
 * The job that the dispatcher recorded where no note can change it, else the one that the notes
 * tell of.
 */
function jobOf(marker: ClaimMarker | undefined, notesSinceClaim: string): Job | undefined {
  if (marker?.name === 'dispatched' && marker.about !== undefined) {
    return { id: marker.about, from: 'beadboard' };
  }
  return jobIn(notesSinceClaim);
}
