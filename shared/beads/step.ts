/**
 * The cell that makes a claim unique: the key `beads_auto_dispatch` of a bead's metadata
 * holds `<step>:<token>[:<about>]`, for example `dispatched:0198…`.
 *
 * Every transition writes a fresh token under this one key. Two writers that met the same row would
 * otherwise write equal cells, which Dolt merges, so that both would win (docs/decisions/0001).
 * The token is also the id of the transition's `events` row and of its CloudEvent.
 */
export const STEP_KEY = 'beads_auto_dispatch';

const STEPS = [
  'claimed',
  'dispatched',
  'unconfirmed',
  'failed',
  'given-up',
  'reaped',
  'released',
] as const;
export type StepName = (typeof STEPS)[number];

export interface Step {
  name: StepName;
  token: string;
  /** Of `unconfirmed`: the token of the claim whose outcome is not known. Of `dispatched`: the job. */
  about?: string;
}

/** More than the longest that is ever written: a name, a token of 36 and a job id of 128 characters. */
export const STEP_CHARACTERS = 200;

export function formatStep({ name, token, about }: Step): string {
  return about === undefined ? `${name}:${token}` : `${name}:${token}:${about}`;
}

/** @returns the step, or `undefined` for a bead these functions never touched or a foreign value. */
export function parseStep(cell: string | null): Step | undefined {
  if (cell === null || cell.length >= STEP_CHARACTERS) return undefined;
  const [name, token, about] = cell.split(':');
  const known = STEPS.find((step) => step === name);
  if (known === undefined || token === undefined || token === '') return undefined;
  return about === undefined ? { name: known, token } : { name: known, token, about };
}
