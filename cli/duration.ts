const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: MINUTE_S, h: HOUR_S, d: DAY_S };

/** @returns the seconds in `90s`, `30m`, `2h` or `7d`. @throws for what is no duration. */
export function secondsIn(duration: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(duration) ?? [];
  const each = SECONDS[unit];
  if (count === undefined || each === undefined) {
    throw new Error(`"${duration}" is no duration; it takes for example 90s, 30m, 2h or 7d`);
  }
  return Number(count) * each;
}

/** `45s`, `12m`, `3h20m`, `4d`: as kubectl shows an age. */
export function age(seconds: number): string {
  if (seconds < 2 * MINUTE_S) return `${seconds}s`;
  if (seconds < 2 * HOUR_S) return `${Math.floor(seconds / MINUTE_S)}m`;
  if (seconds < DAY_S) {
    const minutes = Math.floor((seconds % HOUR_S) / MINUTE_S);
    return `${Math.floor(seconds / HOUR_S)}h${minutes === 0 ? '' : `${minutes}m`}`;
  }
  return `${Math.floor(seconds / DAY_S)}d`;
}
