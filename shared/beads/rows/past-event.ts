import type { Row } from '../sql/connection.ts';
import { DISPATCHER, REAPER } from './actors.ts';
import { BUSY_NOTE, DIED, unconfirmedNote, withdrawnNote } from './notes.ts';

/** What one event says of a dispatch. */
export type EventKind =
  /** The dispatcher put the bead back to open; it counts as an attempt. */
  | 'failed'
  /** The same because there was no room for it: a reason to back off, but no attempt. */
  | 'busy'
  /** A failure that did not open the bead: the last attempt, or a person had moved it. */
  | 'missed'
  | 'dispatched'
  | 'unknown'
  /** A person, or an agent that a person sent, reassigned or moved the bead. */
  | 'reset'
  /**
   * The same, by `bd reopen` or `kn beads retry --now`: whoever does that wants the bead to be
   * tried now.
   */
  | 'reopened'
  | 'none';

export interface PastEvent {
  beadId: string;
  kind: EventKind;
  /** By the server's clock: `created_at` is in its time zone. */
  secondsAgo: number;
}

const OURS: ReadonlySet<string> = new Set([DISPATCHER, REAPER]);

const ENDS_OPEN = '"status":"open"}';
/** A line break in JSON: a backslash that is not itself escaped, and an n. */
const LINE_BREAK = /(?<!\\)(?:\\\\)*\\n/g;
const FIRST_NOTE = '{"notes":"';

/** @param row `EVENT_COLUMNS` (history.ts) of one event. */
export function pastEventOf(row: Row): PastEvent {
  return {
    beadId: String(row['issue_id']),
    kind: OURS.has(String(row['actor'])) ? ourKind(row) : theirKind(row),
    secondsAgo: Number(row['seconds_ago']),
  };
}

function ourKind({ event_type, actor, tail }: Row): EventKind {
  if (actor !== DISPATCHER) return 'none';
  const note = newestNote(String(tail));
  if (event_type === 'status_changed') {
    if (!String(tail).endsWith(ENDS_OPEN) || note.startsWith(withdrawnNote(''))) return 'none';
    return BUSY_NOTE.test(note) ? 'busy' : 'failed';
  }
  if (note.startsWith('dispatched: ')) return 'dispatched';
  // The dispatcher's own death says nothing of BeadBoard.
  if (note.startsWith(unconfirmedNote(DIED))) return 'none';
  if (note.startsWith(unconfirmedNote(''))) return 'unknown';
  return note.startsWith('dispatch failed') && !BUSY_NOTE.test(note) ? 'missed' : 'none';
}

/** What follows the last line break of the notes, still as JSON has it. */
function newestNote(tail: string): string {
  const last = [...tail.matchAll(LINE_BREAK)].at(-1);
  if (last !== undefined) return tail.slice(last.index + last[0].length);
  return tail.startsWith(FIRST_NOTE) ? tail.slice(FIRST_NOTE.length) : tail;
}

function theirKind({ event_type, has_assignee }: Row): EventKind {
  if (event_type === 'reopened') return 'reopened';
  const moves = ['status_changed', 'claimed'].includes(String(event_type));
  return moves || (event_type === 'updated' && Number(has_assignee) === 1) ? 'reset' : 'none';
}
