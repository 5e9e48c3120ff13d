import type { Row, Statement } from '../sql/connection.ts';
import { DISPATCHER } from './actors.ts';
import { pastEventOf, type EventKind, type PastEvent } from './past-event.ts';

/**
 * What happened to beads before, read from bd's own history: the `events` rows that our transitions
 * wrote. Nobody overwrites those, and no counter beside them can disagree (docs/decisions/0003).
 */

/** A note of 500 characters, each escaped, and the keys around it. */
const TAIL_CHARACTERS = 3_200;

/**
 * bd writes the keys of `new_value` sorted and without spaces, so that the notes come at its end.
 */
const EVENT_COLUMNS = `
  issue_id, event_type, actor,
  IF(actor = '${DISPATCHER}', RIGHT(new_value, ${TAIL_CHARACTERS}), '') AS tail,
  new_value LIKE '%"assignee":"%' AS has_assignee,
  TIMESTAMPDIFF(SECOND, created_at, CURRENT_TIMESTAMP()) AS seconds_ago`;

/** How often one bead has failed. */
export interface Failures {
  /** Confirmed failures since the last reset. */
  count: number;
  /** The same and the times when there was no room: what the bead backs off for. */
  backOffCount: number;
  /** Seconds since the last of them. */
  lastSecondsAgo: number | undefined;
  /** Seconds since a person last asked for it to be tried now. */
  reopenedSecondsAgo: number | undefined;
}

export const NO_FAILURES: Failures = {
  count: 0,
  backOffCount: 0,
  lastSecondsAgo: undefined,
  reopenedSecondsAgo: undefined,
};

/** An event that lies further in the future was written before the server's clock was set back. */
const CLOCK_SKEW_SECONDS = 60;

/**
 * How long to count a wait from an event that may lie in the future: such a one ends no wait, and
 * starts none.
 */
export function elapsedSeconds(secondsAgo: number): number {
  return secondsAgo < -CLOCK_SKEW_SECONDS ? Number.POSITIVE_INFINITY : Math.max(0, secondsAgo);
}

/** @param ids the beads to ask for; at least one. */
export const failuresStatement = (ids: readonly string[]): Statement => [
  `SELECT ${EVENT_COLUMNS} FROM events WHERE issue_id IN (?) AND event_type <> 'created'`,
  [ids],
];

/**
 * @param rows the answer to {@link failuresStatement}.
 * @returns the failures of each bead that has a history.
 */
export function failuresOf(rows: readonly Row[]): Map<string, Failures> {
  const byBead = Map.groupBy(rows.map(pastEventOf), ({ beadId }) => beadId);
  return new Map([...byBead].map(([id, events]) => [id, countFailures(events)]));
}

/** Counts what failed after the last reset; in the same second the person wins. */
export function countFailures(events: readonly PastEvent[]): Failures {
  const secondsOf = (kind: EventKind) =>
    events.filter((event) => event.kind === kind).map(({ secondsAgo }) => secondsAgo);
  const lastReopened = Math.min(...secondsOf('reopened'), Number.POSITIVE_INFINITY);
  const lastReset = Math.min(...secondsOf('reset'), lastReopened);
  const since = (kind: EventKind) => secondsOf(kind).filter((seconds) => seconds < lastReset);
  const failed = since('failed');
  const backOffs = [...failed, ...since('busy')];
  return {
    count: failed.length,
    backOffCount: backOffs.length,
    lastSecondsAgo: backOffs.length === 0 ? undefined : elapsedSeconds(Math.min(...backOffs)),
    reopenedSecondsAgo: Number.isFinite(lastReopened) ? lastReopened : undefined,
  };
}

/** Dispatches of all beads that failed or may have, since the last one that went well. */
export interface Misses {
  count: number;
  /** The ids of the beads that they concern. */
  beads: readonly string[];
  /** Seconds since the last of them. */
  lastSecondsAgo: number | undefined;
}

export const NO_MISSES: Misses = { count: 0, beads: [], lastSecondsAgo: undefined };

/** Far more than the breaker needs to open, and few enough to read in no time. */
const RECENT_EVENTS = 100;
/** Older outcomes say nothing of today's BeadBoard. */
const RECENT_HOURS = 24;

/** UUIDv7 ids keep the order within a second. */
export const MISSES_STATEMENT: Statement = [
  `SELECT ${EVENT_COLUMNS} FROM events
    WHERE created_at > CURRENT_TIMESTAMP() - INTERVAL ${RECENT_HOURS} HOUR AND actor = ?
    ORDER BY created_at DESC, id DESC LIMIT ${RECENT_EVENTS}`,
  [DISPATCHER],
];

/** @param rows the answer to {@link MISSES_STATEMENT}. */
export const missesOf = (rows: readonly Row[]): Misses => countMisses(rows.map(pastEventOf));

/** @param events newest first. */
export function countMisses(events: readonly PastEvent[]): Misses {
  const lastSuccess = events.findIndex(({ kind }) => kind === 'dispatched');
  const misses = events
    .slice(0, lastSuccess === -1 ? undefined : lastSuccess)
    .filter(({ kind }) => ['failed', 'missed', 'unknown'].includes(kind));
  return {
    count: misses.length,
    beads: [...new Set(misses.map(({ beadId }) => beadId))],
    lastSecondsAgo: misses[0] && elapsedSeconds(misses[0].secondsAgo),
  };
}
