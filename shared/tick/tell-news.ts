import type { Beads } from '../beads/beads.ts';
import { breakerValue, type FollowUp } from '../beads/rows/follow-up.ts';
import type { Snapshot } from '../beads/snapshot.ts';
import { breakerNews } from '../rules/breaker.ts';
import { completionOf, endedIn } from '../rules/ending.ts';
import type { TickContext } from './tick-context.ts';

/**
 * Tells what others did to dispatched beads: each end once, by whichever tick notices it first.
 *
 * @returns how many ends were told, and how many could not be written.
 */
export async function tellEnds(
  beads: Beads,
  snapshot: Snapshot,
  { log, relay, faults }: TickContext,
): Promise<{ completed: number; errors: number }> {
  const counts = { completed: 0, errors: 0 };
  for (const followUp of endedIn(snapshot)) {
    try {
      if (!(await tellEnd(followUp))) continue;
      counts.completed += 1;
      faults.clear();
    } catch (error) {
      await faults.record(error, followUp.bead.id, beads);
      counts.errors += 1;
    }
  }
  return counts;

  async function tellEnd(followUp: FollowUp): Promise<boolean> {
    const told = await beads.tellEnd(followUp, (found, changes, now) =>
      completionOf(followUp, found, changes, now, beads.sentinel),
    );
    if (told === undefined) return false;
    relay.wake([told.event]);
    log.info({ ...told.payload.data }, 'completed');
    return true;
  }
}

/**
 * Tells that the breaker has opened or closed, once. Where no bead is open nobody knows, since the
 * failures were not read.
 */
export async function tellBreaker(
  beads: Beads,
  { open, misses, followUps, now }: Snapshot,
  { log, relay }: TickContext,
): Promise<void> {
  if (open.length === 0) return;
  if (breakerNews(misses, followUps.breakerOpenedAt, now) === undefined) return;
  const told = await beads.tellBreaker((current, openedAt, at) => {
    const news = breakerNews(current, openedAt, at);
    const isOpened = news?.payload.name === 'breaker.opened.v1';
    return news && { ...news, ...(isOpened ? { begins: breakerValue(at) } : {}) };
  });
  if (told === undefined) return;
  relay.wake([told.event]);
  const isOpened = told.payload.name === 'breaker.opened.v1';
  log.warn(
    { ...told.payload.data },
    isOpened ? 'the breaker has opened' : 'the breaker has closed',
  );
}
