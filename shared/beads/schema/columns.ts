/**
 * The columns that bd has given the tables which these functions write, with the migration that
 * brought them. A column that is not here may carry a rule of bd's that we would break without
 * knowing; {@link refusalOf} says which ones stop us (docs/decisions/0011).
 *
 * Columns of branches are here because databases of those branches exist, and to refuse them would
 * stop their users. Read in bd 1.0.2 to 1.2.2, in its main branch of August 2026 (migration 65)
 * and, from there to migration 71, in single files of its public source.
 */
export const KNOWN: Columns = {
  issues: names(
    // To migration 32, bd 1.0.2.
    `id content_hash title description design acceptance_criteria notes status priority issue_type
     assignee estimated_minutes created_at created_by owner updated_at started_at closed_at
     closed_by_session close_reason external_ref spec_id compaction_level compacted_at
     compacted_at_commit original_size sender ephemeral wisp_type pinned is_template mol_type
     work_type source_system source_repo metadata event_kind actor target payload await_type
     await_id timeout_ns waiters hook_bead role_bead agent_state last_activity role_type rig due_at
     defer_until no_history`,
    // 46: kept by bd when a blocker closes or reopens; no status that we set changes it.
    'is_blocked',
    // 54: renewed with every write.
    'row_lock',
    // 55, in a branch: the same.
    'revision',
    // 56, in a branch: which connection claimed it, where sessions have a token of their own.
    'holder_token',
    // 60: versioned, unversioned or ephemeral; set when the bead is made.
    'storage_class',
    // 62, in a branch: counts how often the bead changed hands.
    'claim_fence',
    // 67 and 70: of the versioned history, which is refused where it is on.
    'current_revision participation_generation',
    // 68, in branches: beads that repeat, and how often a date was missed; set by bd alone.
    'repeat_pattern repeat_start repeat_end due_missed',
  ),
  events: names('id issue_id event_type actor old_value new_value comment created_at'),
  leases: names('issue_id holder granted_at lease_expires_at heartbeat_at granted_node'),
  bd_events_journal: names(
    'seq ts op issue_id issue_json dep_json comment_json',
    // 66, and 28 of the migrations out of history: whoever made the change.
    'actor',
    // 70: of memories, which we do not write.
    'memory_json',
  ),
  bd_events_seq: names('id next_seq'),
  local_metadata: names('key value'),
};

/** What these functions do with the rows of a table. */
export type Use = 'update' | 'insert' | 'delete';
export const USES: Readonly<Record<string, Use>> = {
  issues: 'update',
  events: 'insert',
  leases: 'delete',
  bd_events_journal: 'insert',
  bd_events_seq: 'update',
  local_metadata: 'insert',
};

/** A column as the database describes it. */
export interface Column {
  name: string;
  isNullable: boolean;
  hasDefault: boolean;
}

/**
 * Whether an unknown column of a table stops us, and the rule that says so. Versions of a row
 * (`row_lock`, `revision`) are never NULL, and every update must renew them; what may be NULL, or
 * has a default where rows are only added, holds what bd says when nobody gives a value.
 * @returns the rule by which it is refused, or `undefined` for one that is only warned about.
 */
export function refusalOf(use: Use, { isNullable, hasDefault }: Column): string | undefined {
  if (use === 'update' && !isNullable) return 'never NULL in rows that are updated';
  if (use === 'insert' && !isNullable && !hasDefault) return 'needs a value in rows that are added';
  return undefined;
}

type Columns = Readonly<Record<string, ReadonlySet<string>>>;

/** What our statements name in every schema, table by table. */
export const NEEDED: Columns = {
  issues: names(
    `id title status priority issue_type assignee acceptance_criteria notes updated_at started_at
     defer_until pinned ephemeral is_template metadata`,
  ),
  events: names('id issue_id event_type actor old_value new_value created_at'),
  dependencies: names('issue_id type'),
  labels: names('issue_id label'),
  local_metadata: names('key value'),
};

/** The same for tables that a schema may do without. */
export const NEEDED_IF_THERE: Columns = {
  leases: names('issue_id lease_expires_at heartbeat_at granted_node'),
  bd_events_journal: names('seq ts op issue_id issue_json'),
};

function names(...lists: string[]): ReadonlySet<string> {
  return new Set(lists.join(' ').split(/\s+/));
}
