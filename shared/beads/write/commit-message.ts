import type { Row, Statement } from '../sql/connection.ts';

/**
 * The message of a transition's Dolt commit: a line that says what it was, and trailers as git has
 * them, by which a row of history finds the trace of its tick.
 */
export const commitMessage = (subject: string, eventId: string, traceId: string): string =>
  `${subject}\n\nEvent-Id: ${eventId}\nTrace-Id: ${traceId}`;

const TRAILERS = /^Event-Id: (\S+)\nTrace-Id: ([0-9a-f]{32})$/m;

/** Dolt reads a quarter of a million commits in a second. */
const MOST_COMMITS = 100_000;

/** @returns asks for the messages of a bead's transitions, among the newest commits. */
export const tracesStatement = (beadId: string): Statement => [
  `SELECT message FROM (SELECT message FROM dolt_log LIMIT ${MOST_COMMITS}) AS newest
    WHERE LOCATE(?, message) > 0`,
  [` ${beadId}\n\nEvent-Id: `],
];

/**
 * @param rows the answer to {@link tracesStatement}.
 * @returns the trace ids by the ids of the `events` rows.
 */
export function tracesIn(rows: readonly Row[]): Map<string, string> {
  return new Map(
    rows.flatMap(({ message }): [string, string][] => {
      const [, eventId, traceId] = TRAILERS.exec(String(message)) ?? [];
      return eventId === undefined || traceId === undefined ? [] : [[eventId, traceId]];
    }),
  );
}
