import type { Spread } from './sampling.ts';

/** One line of the result: what was measured, against what, and what was to be reached. */
export interface Row {
  what: string;
  ours: string;
  against: string;
  result: string;
  goal: string;
  /** `undefined` where there was nothing to compare with. */
  isMet: boolean | undefined;
}

const number = (value: number) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** For example `2.31 ms (2.20–2.48)`: the median and the middle half. */
export function show({ median, low, high }: Spread, unit: string): string {
  return `${number(median)} ${unit} (${number(low)}–${number(high)})`;
}

/** @param limit the result must be at most this. */
export function atMost(times: Spread, limit: number) {
  return {
    result: show(times, '×'),
    goal: `≤ ${limit} ×`,
    isMet: times.median <= limit,
  };
}

/** @param limit the result must be at least this. */
export function atLeast(times: Spread, limit: number) {
  return {
    result: show(times, '×'),
    goal: `≥ ${limit} ×`,
    isMet: times.median >= limit,
  };
}

/** What could not be measured here. */
export function notMeasured(what: string, why: string): Row {
  return { what, ours: '–', against: why, result: 'not measured', goal: '', isMet: undefined };
}
