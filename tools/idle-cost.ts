import { SNAPSHOT_AGAIN_MS } from '../shared/rules/wake-plan.ts';
import { SLOWEST_POLL_MS } from '../sources/watch/watch.ts';

/**
 * What a day costs on which nothing is to be done: a day of ticks, replayed second by second with
 * the rules of Knative's autoscaler.
 */

const DAY_S = 86_400;
/** config-autoscaler's defaults: requests count for this long after their end … */
const STABLE_WINDOW_S = 60;
/** … and then a pod lives on for the longer of this and its retention period. */
const GRACE_S = 30;
/**
 * An idle tick is one query for beads and outbox; a fresh process sets up its session and asks for
 * the schema first.
 */
const QUERIES_A_TICK = 1;
const QUERIES_A_START = 2;

export interface Ticks {
  /** As cron has it. */
  dispatch: string;
  reap: string;
  /** `scale-to-zero-pod-retention-period` of each function's pods. */
  retentionS: { dispatch: number; reap: number };
  hasWatch: boolean;
}

const NO_RETENTION = { dispatch: 0, reap: 0 };
const HOURLY = { dispatch: '0 * * * *', reap: '30 * * * *' };

/** The overlays of knative/, as test/manifests.test.ts finds them. */
export const OVERLAY_TICKS: Record<string, Ticks> = {
  plain: {
    dispatch: '*/2 * * * *',
    reap: '*/10 * * * *',
    retentionS: NO_RETENTION,
    hasWatch: false,
  },
  warm: {
    dispatch: '*/2 * * * *',
    reap: '*/10 * * * *',
    retentionS: { dispatch: 180, reap: 720 },
    hasWatch: false,
  },
  'event-driven': { ...HOURLY, retentionS: NO_RETENTION, hasWatch: true },
  kafka: { ...HOURLY, retentionS: NO_RETENTION, hasWatch: true },
  paused: { dispatch: '0 0 31 2 *', reap: HOURLY.reap, retentionS: NO_RETENTION, hasWatch: true },
};

export interface Cost {
  podStarts: number;
  podHours: number;
  databaseQueries: number;
}

/** @returns what the functions' ticks and the watch cost on a day without work. */
export function costOf({ dispatch, reap, retentionS, hasWatch }: Ticks): Cost {
  const functions = [replay(dispatch, retentionS.dispatch), replay(reap, retentionS.reap)];
  const watch = hasWatch
    ? {
        starts: 1,
        aliveS: DAY_S,
        queries: (DAY_S * 1000) / SLOWEST_POLL_MS + (DAY_S * 1000) / SNAPSHOT_AGAIN_MS,
      }
    : { starts: 0, aliveS: 0, queries: 0 };
  const all = [...functions, watch];
  const sum = (of: (each: (typeof all)[number]) => number) =>
    all.reduce((total, each) => total + of(each), 0);
  return {
    podStarts: sum(({ starts }) => starts),
    podHours: sum(({ aliveS }) => aliveS) / 3600,
    databaseQueries: sum(({ queries }) => queries),
  };
}

function replay(schedule: string, retentionS: number) {
  const livesOnS = STABLE_WINDOW_S + Math.max(GRACE_S, retentionS);
  let starts = 0;
  let aliveS = 0;
  let ticks = 0;
  /** The second at which the pod ends; as it was the day before. */
  let endsAt = endOfTheDayBefore(schedule, livesOnS);
  for (let second = 0; second < DAY_S; second += 1) {
    if (isTick(schedule, second)) {
      ticks += 1;
      if (second >= endsAt) starts += 1;
      endsAt = second + livesOnS;
    }
    if (second < endsAt) aliveS += 1;
  }
  return { starts, aliveS, queries: ticks * QUERIES_A_TICK + starts * QUERIES_A_START };
}

function endOfTheDayBefore(schedule: string, livesOnS: number): number {
  for (let second = DAY_S - 1; second >= 0; second -= 1) {
    if (isTick(schedule, second)) return second - DAY_S + livesOnS;
  }
  return 0;
}

/** The schedules that the manifests use: every so many minutes, a minute of each hour, or never. */
function isTick(schedule: string, second: number): boolean {
  if (second % 60 !== 0) return false;
  const minute = second / 60;
  const every = /^\*\/(\d+) \* \* \* \*$/.exec(schedule)?.[1];
  if (every !== undefined) return (minute % 60) % Number(every) === 0;
  const hourly = /^(\d+) \* \* \* \*$/.exec(schedule)?.[1];
  return hourly !== undefined && minute % 60 === Number(hourly);
}
