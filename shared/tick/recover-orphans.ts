import type { Bead } from '../beads/rows/bead.ts';
import type { Beads } from '../beads/beads.ts';
import { DIED } from '../beads/rows/notes.ts';
import type { Transition } from '../beads/write/change.ts';
import { release, unconfirmed } from '../beads/write/transitions.ts';
import { decideOrphan } from '../rules/orphan.ts';
import type { TickContext } from './tick-context.ts';

/**
 * Recovers what dispatchers left that died in the middle: gives back to open what was certainly
 * never posted, and notes the rest as unknown. Every tick of either function begins with it.
 *
 * @param inProgress the beads of the snapshot; those whose last transition is a claim are asked
 *   about.
 * @returns how many were given back, how many noted, and how many could not be written.
 */
export async function recoverOrphans(
  beads: Beads,
  inProgress: readonly Bead[],
  { log, relay, faults }: TickContext,
): Promise<{ released: number; orphaned: number; errors: number }> {
  const counts = { released: 0, orphaned: 0, errors: 0 };
  for (const bead of inProgress) {
    if (bead.marker?.name !== 'claimed') continue;
    try {
      const decision = decideOrphan(await beads.evidenceOf(bead.marker.token));
      if (decision === 'leave') continue;
      const outcome = await beads.transition(await transitionOf(decision, bead, beads));
      if (!outcome.done) continue;
      relay.wake(outcome.events);
      counts[decision === 'release' ? 'released' : 'orphaned'] += 1;
      faults.clear();
      log.warn({ bead: bead.id, decision }, 'recovered a claim whose dispatcher died');
    } catch (error) {
      await faults.record(error, bead.id, beads);
      counts.errors += 1;
    }
  }
  return counts;
}

async function transitionOf(
  decision: 'release' | 'unconfirmed',
  bead: Bead,
  beads: Beads,
): Promise<Transition> {
  if (decision === 'release') return release(bead);
  const attempt = await beads.attemptOf(bead.id);
  const claim = { bead, token: bead.marker?.token ?? '', attempt };
  return unconfirmed(claim, {
    reason: 'dispatcher-died',
    words: DIED,
  });
}
