import { parseJson } from '../../runtime/json.ts';
import type { Row } from '../sql/connection.ts';

/**
 * The JSON that bd itself would write into `events.old_value` and `events.new_value`: Go's
 * encoding of bd's Issue struct (bd's internal/types/types.go), fields in the struct's order, empty
 * ones left out.
 */

type Value = Row[string] | readonly string[] | undefined;
type Encode = (value: Value) => string | undefined;

const whenFilled: Encode = (value) =>
  typeof value === 'string' && value !== '' ? goString(value) : undefined;
const whenSet: Encode = (value) => (typeof value === 'string' ? goString(value) : undefined);
const number: Encode = (value) =>
  value === null || value === undefined ? undefined : String(value);
const whenNotZero: Encode = (value) => (Number(value ?? 0) === 0 ? undefined : number(value));
const whenTrue: Encode = (value) => (Number(value ?? 0) === 0 ? undefined : 'true');
const time: Encode = (value) =>
  typeof value === 'string' ? goString(`${value.slice(0, 19).replace(' ', 'T')}Z`) : undefined;
const metadata: Encode = (value) =>
  typeof value === 'string' && value !== '' && value !== '{}' ? compactJson(value) : undefined;
const strings: Encode = (value) => {
  const list: unknown = Array.isArray(value) ? value : parseJson(String(value ?? ''));
  return Array.isArray(list) && list.length > 0
    ? `[${list.map((item) => goString(String(item))).join(',')}]`
    : undefined;
};

/** Column, encoder, and the JSON name where it differs from the column's. */
const ISSUE_FIELDS: readonly (readonly [string, Encode, string?])[] = [
  ['id', whenSet],
  ['title', whenSet],
  ['description', whenFilled],
  ['design', whenFilled],
  ['acceptance_criteria', whenFilled],
  ['notes', whenFilled],
  ['spec_id', whenFilled],
  ['status', whenFilled],
  ['priority', number],
  ['issue_type', whenFilled],
  ['is_blocked', whenTrue],
  ['assignee', whenFilled],
  ['owner', whenFilled],
  ['estimated_minutes', number],
  ['created_at', time],
  ['created_by', whenFilled],
  ['updated_at', time],
  ['started_at', time],
  ['closed_at', time],
  ['close_reason', whenFilled],
  ['closed_by_session', whenFilled],
  ['lease_expires_at', time],
  ['heartbeat_at', time],
  ['lease_granted_node', whenFilled],
  ['due_at', time],
  ['defer_until', time],
  ['external_ref', whenSet],
  ['source_system', whenFilled],
  ['metadata', metadata],
  ['compaction_level', whenNotZero],
  ['compacted_at', time],
  ['compacted_at_commit', whenSet],
  ['original_size', whenNotZero],
  ['labels', strings],
  ['sender', whenFilled],
  ['ephemeral', whenTrue],
  ['no_history', whenTrue],
  ['wisp_type', whenFilled],
  ['storage_class', whenFilled],
  ['pinned', whenTrue],
  ['is_template', whenTrue],
  ['await_type', whenFilled],
  ['await_id', whenFilled],
  ['timeout_ns', whenNotZero, 'timeout'],
  ['waiters', strings],
  ['mol_type', whenFilled],
  ['work_type', whenFilled],
  ['event_kind', whenFilled],
  ['actor', whenFilled],
  ['target', whenFilled],
  ['payload', whenFilled],
];

/**
 * @param row all columns of one issue, times as `YYYY-MM-DD HH:MM:SS` in UTC, JSON as text; with
 *   its lease, where there is one.
 * @param labels the bead's labels, sorted.
 * @param use bd tells `is_blocked` in its journal only, and who closed a bead before since it has
 *   storage classes.
 */
export function issueJson(
  row: Row,
  labels: readonly string[],
  use: 'event' | 'journal' = 'event',
): string {
  const parts = ISSUE_FIELDS.flatMap(([column, encode, name]) => {
    if (column === 'is_blocked' && use === 'event') return [];
    if (column === 'closed_by_session' && !('storage_class' in row)) return [];
    const value = encode(column === 'labels' ? labels : row[column]);
    return value === undefined ? [] : [`"${name ?? column}":${value}`];
  });
  return `{${parts.join(',')}}`;
}

/** The fields one update sets, names sorted, as Go encodes a map. */
export function updateJson(fields: Readonly<Record<string, string>>): string {
  const parts = Object.keys(fields)
    .toSorted()
    .map((name) => `"${name}":${goString(fields[name] ?? '')}`);
  return `{${parts.join(',')}}`;
}

/** Go escapes what could end a script element or a line of JavaScript. */
function goString(text: string): string {
  return escapeForGo(JSON.stringify(text));
}

function compactJson(json: string): string {
  const compact = json.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (part) => (part[0] === '"' ? part : ''));
  return escapeForGo(compact);
}

function escapeForGo(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
