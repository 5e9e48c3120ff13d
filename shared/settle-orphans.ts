import type { Bead } from './beads/bead.ts';
import type { Beads } from './beads/beads.ts';
import type { ClaimEvidence } from './beads/intent.ts';
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
 * @returns how many were given back, and how many noted.
 */
export async function settleOrphans(
  beads: Beads,
  inProgress: readonly Bead[],
  { log, relay }: TickContext,
): Promise<{ released: number; orphaned: number }> {
  const counts = { released: 0, orphaned: 0 };
  for (const bead of inProgress) {
    if (bead.step?.name !== 'claimed') continue;
    const { token } = bead.step;
    const verdict = judgeOrphan(await beads.evidenceOf(bead.id, token));
    if (verdict === 'leave') continue;
    const outcome = await beads.transition(
      verdict === 'release'
        ? release(bead)
        : unconfirmed(
            { bead, token, attempt: await beads.attemptOf(bead.id) },
            'the dispatcher died before it had the answer',
          ),
    );
    if (!outcome.done) continue;
    relay.report(outcome.events);
    counts[verdict === 'release' ? 'released' : 'orphaned'] += 1;
    log.warn({ bead: bead.id, verdict }, 'settled a claim whose dispatcher died');
  }
  return counts;
}
