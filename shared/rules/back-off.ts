import { createHash } from 'node:crypto';

export interface BackOff {
  /** Wait after the first failure. */
  baseMs: number;
  /** The longest wait. */
  maxMs: number;
}

/** 2^30 times any base is past every maximum; more would only lose precision. */
const MAX_DOUBLINGS = 30;

/**
 * How long a bead rests after its failures: doubling, with the upper half of each wait left to
 * chance, so that beads which failed together do not come back together. The chance is drawn from
 * bead and count, so that the time announced in `dispatch.failed.v1` is the one a later tick keeps.
 *
 * @param failures confirmed failures so far, at least 1.
 * @returns milliseconds from the last failure, never more than `maxMs`.
 */
export function backOffMs(beadId: string, failures: number, { baseMs, maxMs }: BackOff): number {
  const whole = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, MAX_DOUBLINGS));
  return Math.round(whole * (0.5 + 0.5 * fraction(`${beadId}#${failures}`)));
}

/** A number from 0 to 1 that is always the same for the same text. */
function fraction(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 0xffff_ffff;
}

/**
 * The one place that computes when a bead is tried again: the time that `dispatch.failed.v1`
 * announces is the time that a later tick keeps.
 * @param failures what the bead backs off for, the last one included.
 * @param lastAt when the last of them was recorded, by the database's clock.
 */
export function nextAttemptAt(
  beadId: string,
  failures: number,
  lastAt: Date,
  backOff: BackOff,
): Date {
  return new Date(lastAt.getTime() + backOffMs(beadId, failures, backOff));
}
