import { issueJson, updateJson } from './bd-json.ts';
import { appendix } from '../rows/notes.ts';
import { IS_LARGE, type ChangedCells } from '../rows/statements.ts';
import type { Schema } from '../schema/schema.ts';
import type { Row } from '../sql/connection.ts';
import { toSqlTime } from '../sql/time.ts';
import type { Change } from './change.ts';

/** What bd would write for some changes, made by one command each. Pure. */

/**
 * Where there is no `row_lock`, our `updated_at` lies one second back. bd writes the second it is,
 * so that a person's write in the same second differs from ours in this cell, and the later one of
 * the two meets a conflict; with equal times Dolt would merge, for example, a block with a
 * reassignment.
 */
const DISTINCT_MS = 1_000;

/** One row of bd's `events`, but for its id, and what our own event tells of it. */
export interface EventRow {
  payload: Change['payload'];
  type: 'updated' | 'status_changed' | 'reopened';
  oldValue: string;
  newValue: string;
}

/**
 * @param row all columns of the bead as they are, with its lease; {@link IS_LARGE} when its texts
 *   are left out.
 * @param unique is added to each note where the claim marker cannot be written: two writers of one
 *   note would otherwise write equal cells, which Dolt merges.
 * @param labels the bead's labels, sorted.
 * @param changes in their order; each sees what the one before it has made.
 * @param now the server's time.
 * @returns the bead's cells after all of them, and an `events` row for each.
 */
export function bdUpdate(
  row: Row,
  labels: readonly string[],
  changes: readonly Change[],
  now: Date,
  { textBytes, versionCells }: Pick<Schema, 'textBytes' | 'versionCells'>,
  unique?: string,
): { after: ChangedCells; events: EventRow[] } {
  const backMs = versionCells.length > 0 ? 0 : DISTINCT_MS;
  const time = later(String(row['updated_at']), toSqlTime(new Date(now.getTime() - backMs)));
  const after: ChangedCells = {
    status: String(row['status']),
    appendix: '',
    updated_at: String(row['updated_at']),
    started_at: row['started_at'] === null ? null : String(row['started_at']),
    pinned: row['pinned'] ?? null,
  };
  const isLarge = IS_LARGE in row;
  const notes = String(row['notes'] ?? '');
  const maxBytes = isLarge ? 0 : textBytes;
  const events = changes.map(({ to, note: plain, payload, eventType }): EventRow => {
    const note = plain === undefined || unique === undefined ? plain : `${plain} [${unique}]`;
    const { appendix: appended, ...cells } = after;
    const oldValue = issueJson({ ...row, ...cells, notes: notes + appended }, labels);
    const shortOld = { id: String(row['id']), status: after.status };
    const isFirst = Number(row['notes_bytes']) === 0 && appended === '';
    if (note !== undefined) after.appendix += appendix(isFirst, note);
    after.updated_at = time;
    if (to === 'in_progress') after.started_at ??= time;
    const status = to === undefined ? undefined : { status: to };
    after.status = to ?? after.status;
    // As bd does with every status but `pinned`.
    if (to !== undefined && Number(after.pinned) !== 0) after.pinned = 0;
    return {
      payload,
      type: eventType ?? (status === undefined ? 'updated' : 'status_changed'),
      oldValue: fit(maxBytes, oldValue, shortOld),
      newValue:
        note === undefined
          ? updateJson({ ...status })
          : fit(maxBytes, updateJson({ notes: notes + after.appendix, ...status }), {
              notes: note,
              ...status,
            }),
    };
  });
  return { after, events };
}

/**
 * Never back in time: an import of bd keeps the newer one of two states, and must not undo ours.
 */
const later = (one: string, other: string) => (one > other ? one : other);

/**
 * bd 1.0.2 holds event values in TEXT, and a large row is not read whole; both are told in short.
 */
function fit(textBytes: number, json: string, short: Readonly<Record<string, string>>): string {
  return Buffer.byteLength(json) <= textBytes ? json : updateJson(short);
}
