/**
 * bd's DATETIME columns hold whole seconds in UTC; these two functions are the only way in and out.
 */

const SQL_TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?$/;

/**
 * @param value `YYYY-MM-DD HH:MM:SS[.ffffff]` as the server sends it, in UTC.
 * @returns the instant, or `undefined` when the text is not such a time.
 */
export function fromSqlTime(value: string): Date | undefined {
  const match = SQL_TIME.exec(value);
  if (match === null) return undefined;
  const instant = new Date(`${match[1]}T${match[2]}${match[3]?.slice(0, 4) ?? ''}Z`);
  return Number.isNaN(instant.getTime()) ? undefined : instant;
}

/**
 * `YYYY-MM-DD HH:MM:SS` in UTC, rounded down: a DATETIME(0) column would round up into the future.
 */
export function toSqlTime(instant: Date): string {
  return toIsoSeconds(instant).slice(0, 19).replace('T', ' ');
}

/** `YYYY-MM-DDTHH:MM:SSZ`, rounded down: the form of bd's own JSON and of the notes. */
export function toIsoSeconds(instant: Date): string {
  return `${instant.toISOString().slice(0, 19)}Z`;
}
