import { issueJson } from './bd-json.ts';
import type { Row, Session } from './session.ts';

/**
 * bd's events journal, from which `bd events` and `bd serve` feed those who follow the beads. Whether
 * it is on stands in the configuration of each workspace and not in the database; but where it is on it
 * has rows, and then each write must leave one, in its own transaction (bd's
 * internal/storage/issueops/journal.go).
 */
const NEXT_SQL = 'UPDATE bd_events_seq SET next_seq = next_seq + 1 WHERE id = 0';
const INSERT_SQL = `
  INSERT INTO bd_events_journal (seq, ts, op, issue_id, issue_json)
  SELECT next_seq, UTC_TIMESTAMP(), 'update', ?, ? FROM bd_events_seq WHERE id = 0`;

/**
 * Journals a bead as it now is, in the transaction that has changed it.
 * @param row all columns of the bead, read after the change.
 */
export async function journalUpdate(
  session: Session,
  row: Row,
  labels: readonly string[],
): Promise<void> {
  await session.query(NEXT_SQL);
  await session.query(INSERT_SQL, [String(row['id']), issueJson(row, labels, 'journal')]);
}
