import type { Row, Session } from './session.ts';

/**
 * How often a bead has failed, read from bd's own history: the `events` rows that the failing
 * transitions wrote. Nobody overwrites those, and no counter of ours can disagree with them.
 */
export interface Failures {
  /** Confirmed failures since a person last reopened, reassigned or moved the bead. */
  count: number;
  /** Seconds since the last of them, by the database's clock. */
  lastSecondsAgo: number | undefined;
}

export const NO_FAILURES: Failures = { count: 0, lastSecondsAgo: undefined };

/** One event that matters for the count. */
export interface Mark {
  kind: 'failed' | 'reset';
  secondsAgo: number;
}

/**
 * The actors whose own status changes do not reset the count. Everybody else is a person, or an
 * agent that a person sent.
 */
const FAILING_ACTOR = 'beads-dispatcher';
const OUR_ACTORS = [FAILING_ACTOR, 'beads-reaper'];

/**
 * A failure is the dispatcher putting a bead back to open. bd writes the keys of `new_value` sorted,
 * and a quote inside a note is escaped, so that neither pattern can be met by what a person wrote.
 * Ages come from the server, since `created_at` is in its time zone.
 */
const HISTORY_SQL = `
  SELECT issue_id AS id, kind, seconds_ago FROM (
    SELECT issue_id,
           TIMESTAMPDIFF(SECOND, created_at, CURRENT_TIMESTAMP()) AS seconds_ago,
           CASE
             WHEN actor = ? AND event_type = 'status_changed'
                  AND new_value LIKE '%"status":"open"}' THEN 'failed'
             WHEN actor NOT IN (?) AND (event_type IN ('reopened', 'status_changed', 'claimed')
                  OR (event_type = 'updated' AND new_value LIKE '%"assignee":"%')) THEN 'reset'
           END AS kind
      FROM events WHERE issue_id IN (?)
  ) AS marked WHERE kind IS NOT NULL`;

/**
 * @param ids the beads to ask for; at least one.
 * @returns the failures of each bead that has any event that matters.
 */
export async function readFailures(
  session: Session,
  ids: readonly string[],
): Promise<Map<string, Failures>> {
  const rows = await session.query(HISTORY_SQL, [FAILING_ACTOR, OUR_ACTORS, ids]);
  const marks = new Map<string, Mark[]>();
  for (const row of rows) {
    const id = String(row['id']);
    marks.set(id, [...(marks.get(id) ?? []), markOf(row)]);
  }
  return new Map([...marks].map(([id, of]) => [id, countFailures(of)]));
}

/** Counts what failed after the last reset; in the same second the person wins. */
export function countFailures(marks: readonly Mark[]): Failures {
  const lastReset = Math.min(
    ...marks.filter(({ kind }) => kind === 'reset').map(({ secondsAgo }) => secondsAgo),
    Number.POSITIVE_INFINITY,
  );
  const since = marks
    .filter(({ kind, secondsAgo }) => kind === 'failed' && secondsAgo < lastReset)
    .map(({ secondsAgo }) => secondsAgo);
  return since.length === 0
    ? NO_FAILURES
    : { count: since.length, lastSecondsAgo: Math.min(...since) };
}

function markOf(row: Row): Mark {
  return {
    kind: row['kind'] === 'failed' ? 'failed' : 'reset',
    secondsAgo: Number(row['seconds_ago']),
  };
}
