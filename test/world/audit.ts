import { expect } from 'vitest';

import type { Scene } from './scene.ts';

/**
 * What the audit stream promises, checked against bd's own history: every transition of these
 * functions has exactly one event, under the id of its history row, in the order in which it
 * happened to the bead; and nothing is left to send.
 * @param options whether the order is kept, which it is but for events that the sink has refused.
 */
export async function expectAudited(
  { tracker, sink }: Scene,
  { isOrdered = true } = {},
): Promise<void> {
  const rows = await tracker.sql(
    `SELECT id, issue_id AS bead FROM events WHERE actor IN ('beads-dispatcher', 'beads-reaper')`,
  );
  const idsOf = (bead: string) => sink.events.filter(({ subject }) => subject === bead);
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
  expect(sink.contradictions, 'an event is the same on every delivery').toEqual([]);
  expect(await unsentCount(tracker), 'nothing is left to send').toBe(0);
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
