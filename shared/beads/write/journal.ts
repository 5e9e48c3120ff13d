import { issueJson } from './bd-json.ts';
import type { Row, Statement } from '../sql/connection.ts';

/**
 * bd's events journal, from which `bd events` and `bd serve` feed those who follow the beads. Where
 * it is on, each write must leave a row in it, in its own transaction (bd's
 * internal/storage/issueops/journal.go).
 */

/** Counts on, from where the rows are when the counter is lost or behind, as bd does. */
const NEXT_SQL = `
  INSERT INTO bd_events_seq (id, next_seq)
  VALUES (0, COALESCE((SELECT MAX(seq) FROM bd_events_journal), 0) + 1)
  ON DUPLICATE KEY UPDATE next_seq = GREATEST(next_seq + 1, VALUES(next_seq))`;
const insertSql = (hasActor: boolean) => `
  INSERT INTO bd_events_journal (seq, ts, op, issue_id, issue_json${hasActor ? ', actor' : ''})
  SELECT next_seq, UTC_TIMESTAMP(), 'update', ?, ?${hasActor ? ', ?' : ''} FROM bd_events_seq WHERE id = 0`;

/**
 * Journals a bead as it now is, in the transaction that has changed it.
 * @param row all columns of the bead, read after the change.
 * @param actor who made it; `undefined` where the journal does not say.
 */
export function journalUpdate(
  row: Row,
  labels: readonly string[],
  actor: string | undefined,
): readonly Statement[] {
  const values = [String(row['id']), issueJson(row, labels, 'journal')];
  return [
    [NEXT_SQL],
    [insertSql(actor !== undefined), actor === undefined ? values : [...values, actor]],
  ];
}
