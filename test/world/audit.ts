import { NO_EVENTS } from './no-events.ts';
import { expect } from 'vitest';
import * as z from 'zod';

import { NO_TRANSITIONS } from '../../shared/beads/rows/past-change.ts';
import type { Scene } from './scene.ts';

/** Events that are no transition of these functions, and so have no row in bd's history. */
const isNews = ({ type }: { type: string }) => /\.completed\.v1$|\.breaker\./.test(type);

/**
 * What the audit stream promises, checked against bd's own history: every transition of these
 * functions has exactly one event, under the id of its history row, in the order in which it
 * happened to the bead; the end of each dispatch is told at most once, and what is still to be told
 * runs; and nothing is left to send.
 * @param options whether the order is kept, which it is but for events that the sink has refused.
 */
export async function expectAudited(scene: Scene, { isOrdered = true } = {}): Promise<void> {
  const { tracker, sink } = scene;
  const rows = await tracker.sql(
    `SELECT id, issue_id AS bead FROM events WHERE actor IN ('beads-dispatcher', 'beads-reaper')`,
  );
  const idsOf = (bead: string) =>
    sink.events.filter((event) => event.subject === bead && !isNews(event));
  for (const bead of new Set(rows.map((row) => String(row['bead'])))) {
    const events = idsOf(bead);
    const transitions = rows.filter((row) => row['bead'] === bead).map((row) => String(row['id']));
    expect(events.map(({ id }) => id).toSorted(), `${bead}: one event for each transition`).toEqual(
      transitions.toSorted(),
    );
    const times = events.map(({ time }) => String(time));
    if (isOrdered)
      expect(times, `${bead}: in the order in which it happened`).toEqual(times.toSorted());
  }
  await expectEndsTold({ tracker, sink });
  await expectCounted(scene, new Set(rows.map(({ id }) => String(id))));
  expect(sink.contradictions, 'an event is the same on every delivery').toEqual([]);
  expect(await unsentCount(tracker), 'nothing is left to send').toBe(0);
}

const COUNTED_AS: Readonly<Record<string, string>> = {
  'io.beads.dispatch.claimed.v1': 'claimed',
  'io.beads.dispatch.dispatched.v1': 'dispatched',
  'io.beads.dispatch.unconfirmed.v1': 'unconfirmed',
  'io.beads.dispatch.failed.v1': 'failed',
  'io.beads.dispatch.blocked.v1': 'given-up',
  'io.beads.reap.blocked.v1': 'reaped',
};
const release = z.object({ reason: z.string() });

/** What `/metrics` counts is what was told of the beads that are there. */
async function expectCounted({ database, sink }: Scene, ids: ReadonlySet<string>): Promise<void> {
  const counts = await database.inspect(
    NO_EVENTS,
    async (_, inspector) => await inspector.transitionCounts(),
  );
  const told: Record<string, number> = { ...NO_TRANSITIONS };
  for (const { type, data } of sink.events.filter((event) => ids.has(event.id))) {
    const isWithdrawn = release.safeParse(data).data?.reason === 'withdrawn';
    const name = COUNTED_AS[type] ?? (isWithdrawn ? 'withdrawn' : 'released');
    told[name] = (told[name] ?? 0) + 1;
  }
  expect(counts, 'the metrics count what was told').toEqual(told);
}

const completed = z.object({ dispatchId: z.string() });

/** @returns the ids of the dispatches whose end was told, each as often as it was told. */
export const endsTold = ({ events }: Scene['sink']): string[] =>
  events
    .filter(({ type }) => type === 'io.beads.dispatch.completed.v1')
    .map(({ data }) => completed.parse(data).dispatchId);

/** Ends are told once, only of dispatches, and not while there is a follow-up. */
async function expectEndsTold({ tracker, sink }: Pick<Scene, 'tracker' | 'sink'>): Promise<void> {
  const told = endsTold(sink);
  expect(told, 'no end is told twice').toEqual([...new Set(told)]);
  const dispatched = sink.events.filter(({ type }) => type === 'io.beads.dispatch.dispatched.v1');
  expect(
    dispatched.map(({ id }) => id),
    'only dispatches end',
  ).toEqual(expect.arrayContaining(told));
  const rows = await tracker.sql(
    "SELECT `key` FROM local_metadata WHERE `key` LIKE 'beads-dispatch.follow-up.%'",
  );
  const waiting = rows.map(({ key }) => String(key).slice('beads-dispatch.follow-up.'.length));
  expect(
    waiting.filter((token) => told.includes(token)),
    'what is told has no follow-up',
  ).toEqual([]);
}

export async function unsentCount(tracker: Scene['tracker']): Promise<number> {
  const [row] = await tracker.sql(
    "SELECT COUNT(*) AS n FROM local_metadata WHERE `key` LIKE 'beads-dispatch.outbox.%' OR `key` LIKE 'beads-dispatch.parked.%'",
  );
  return Number(row?.['n']);
}

/** Lets all parked events be due, as after an hour. */
export async function retryParked(tracker: Scene['tracker']): Promise<void> {
  await tracker.sql(
    `UPDATE local_metadata SET \`key\` = CONCAT('beads-dispatch.parked.20000101000000', SUBSTRING(\`key\`, 37))
      WHERE \`key\` LIKE 'beads-dispatch.parked.%'`,
  );
}
