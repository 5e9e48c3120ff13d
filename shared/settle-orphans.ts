import type { Bead } from './beads/bead.ts';
import type { Beads } from './beads/beads.ts';
import type { ClaimEvidence } from './beads/intent.ts';
import { DIED } from './beads/notes.ts';
import type { Transition } from './beads/transition.ts';
import { release, unconfirmed } from './beads/transitions.ts';
import type { TickContext } from './tick-function.ts';

/** What to do with a claim whose outcome nobody has recorded. */
export type OrphanVerdict = 'leave' | 'release' | 'unconfirmed';

/** Pure: a living claimer is left alone; a dead one's bead was posted at most if it meant to. */
export function judgeOrphan({ alive, mayHavePosted }: ClaimEvidence): OrphanVerdict {
  if (alive) return 'leave';
  return mayHavePosted ? 'unconfirmed' : 'release';
}

/**
 * Settles what dispatchers left that died in the middle: gives back to open what was certainly never
 * posted, and notes the rest as unknown. Every tick of either function begins with it.
 *
 * @param inProgress the beads of the look; those whose last step is a claim are asked about.
 * @returns how many were given back, how many noted, and how many could not be written.
 */
export async function settleOrphans(
  beads: Beads,
  inProgress: readonly Bead[],
  { log, relay, faults }: TickContext,
): Promise<{ released: number; orphaned: number; errors: number }> {
  const counts = { released: 0, orphaned: 0, errors: 0 };
  for (const bead of inProgress) {
    if (bead.step?.name !== 'claimed') continue;
    try {
      const verdict = judgeOrphan(await beads.evidenceOf(bead.step.token));
      if (verdict === 'leave') continue;
      const outcome = await beads.transition(await settlementOf(verdict, bead, beads));
      if (!outcome.done) continue;
      relay.wake(outcome.events);
      counts[verdict === 'release' ? 'released' : 'orphaned'] += 1;
      faults.clear();
      log.warn({ bead: bead.id, verdict }, 'settled a claim whose dispatcher died');
    } catch (error) {
      await faults.record(error, bead.id, beads);
      counts.errors += 1;
    }
  }
  return counts;
}

async function settlementOf(
  verdict: 'release' | 'unconfirmed',
  bead: Bead,
  beads: Beads,
): Promise<Transition> {
  if (verdict === 'release') return release(bead);
  const attempt = await beads.attemptOf(bead.id);
  const claim = { bead, token: bead.step?.token ?? '', attempt, rests: attempt };
  return unconfirmed(claim, {
    reason: 'dispatcher-died',
    words: DIED,
  });
}
