/**
 * The cell that makes a claim unique: the key `beads_auto_dispatch` of a bead's metadata
 * holds `<name>:<token>[:<about>]`, for example `dispatched:0198…`.
 *
 * Every transition writes a fresh token under this one key. Two writers that met the same row would
 * otherwise write equal cells, which Dolt merges, so that both would win (docs/decisions/0001).
 * The token is also the id of the transition's `events` row and of its CloudEvent.
 */
export const MARKER_KEY = 'beads_auto_dispatch';

export const TRANSITION_NAMES = [
  'claimed',
  'dispatched',
  'unconfirmed',
  'failed',
  'given-up',
  'reaped',
  'released',
  'withdrawn',
] as const;
export type MarkerName = (typeof TRANSITION_NAMES)[number];

export interface ClaimMarker {
  name: MarkerName;
  token: string;
  /**
   * Of `unconfirmed`: the token of the claim whose outcome is not known. Of `dispatched`: the job.
   */
  about?: string;
}

/**
 * More than the longest that is ever written: a name, a token of 36 and a job id of 128 characters.
 */
export const MARKER_CHARACTERS = 200;

export function formatMarker({ name, token, about }: ClaimMarker): string {
  return about === undefined ? `${name}:${token}` : `${name}:${token}:${about}`;
}

/**
 * @returns the marker, or `undefined` for a bead these functions never touched or a foreign value.
 */
export function parseMarker(cell: string | null): ClaimMarker | undefined {
  if (cell === null || cell.length >= MARKER_CHARACTERS) return undefined;
  const [name, token, about] = cell.split(':');
  const known = TRANSITION_NAMES.find((marker) => marker === name);
  if (known === undefined || token === undefined || token === '') return undefined;
  return about === undefined ? { name: known, token } : { name: known, token, about };
}
