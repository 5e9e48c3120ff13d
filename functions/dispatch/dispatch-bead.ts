import type { Beads } from '../../shared/beads/beads.ts';
import type { Transition, TransitionResult } from '../../shared/beads/write/change.ts';
import {
  claim,
  dispatched,
  failed,
  unconfirmed,
  withdraw,
  type Claim,
} from '../../shared/beads/write/transitions.ts';
import { nextAttemptAt } from '../../shared/rules/back-off.ts';
import type { Eligible } from '../../shared/rules/eligibility.ts';
import type { RetryPolicy } from '../../shared/rules/policy.ts';
import { describeError } from '../../shared/runtime/errors.ts';
import type { BeadBoard } from '../../shared/targets/beadboard/beadboard.ts';
import type { DispatchOutcome } from '../../shared/targets/target.ts';
import type { TickContext } from '../../shared/tick/tick-context.ts';

/**
 * What came of one bead. `claim-lost`: another writer was faster, which is normal. `withdrawn`: it
 * was claimed, and given back unposted, because it is somebody else's or cannot be read. `error`:
 * the database refused to write it, which is logged.
 */
export type DispatchResult =
  'dispatched' | 'failed' | 'busy' | 'unconfirmed' | 'claim-lost' | 'withdrawn' | 'error';

/**
 * The way of one bead: claim it, put the intent to post on record and read the claim back, ask
 * BeadBoard once, and record what is known of the answer.
 *
 * @param onAccepted called when BeadBoard has taken it, before that is recorded.
 * @returns what came of it.
 * @throws when the database stays away; a later tick then recovers the claim.
 */
export async function dispatchBead(
  { bead, attempt, backOffCount }: Eligible,
  beads: Beads,
  beadboard: BeadBoard,
  retry: RetryPolicy,
  { log, relay, faults, traceparent }: TickContext,
  onAccepted: () => void,
): Promise<DispatchResult> {
  try {
    const wanted = claim(bead, attempt);
    const won = await beads.transition(wanted);
    if (!won.done) {
      log.debug({ bead: bead.id, reason: won.reason }, 'claim lost');
      return 'claim-lost';
    }
    relay.wake(won.events);
    const held: Claim = { bead, token: wanted.token, attempt };

    const obstacle = await confirm(held, beads);
    if (obstacle !== undefined) {
      log.info({ bead: bead.id, attempt, reason: obstacle }, 'claim withdrawn');
      await record(withdrawn, 'withdrawn');
      return 'withdrawn';
    }
    const outcome = await beadboard.dispatch(bead.id, traceparent);
    // What is known, before anything else can go wrong.
    if (outcome.kind === 'accepted') {
      log.info({ bead: bead.id, attempt, jobId: outcome.jobId }, 'dispatched');
      onAccepted();
    } else {
      const { kind, reason, words: answer } = outcome;
      log.warn({ bead: bead.id, attempt, outcome: kind, reason, answer }, 'not dispatched');
    }
    await record((claimed) => recordOf(claimed, outcome), outcome.kind);
    faults.clear();
    return resultOf(outcome);

    async function record(transitionOf: (claimed: Claim) => Transition, known: string) {
      const recorded = await recordWhereItIs(held, beads, transitionOf);
      if (recorded.done) relay.wake(recorded.events);
      else log.warn({ bead: bead.id, known, reason: recorded.reason }, 'outcome not recorded');
    }

    function withdrawn(claimed: Claim): Transition {
      return withdraw(claimed, obstacle ?? '');
    }
  } catch (error) {
    await faults.record(error, bead.id, beads);
    return 'error';
  }

  function recordOf(claimed: Claim, outcome: DispatchOutcome): Transition {
    switch (outcome.kind) {
      case 'accepted':
        return dispatched(claimed, outcome.jobId);
      case 'refused':
        return failed(claimed, outcome, {
          maxAttempts: retry.maxAttempts,
          nextAttemptAt: (now) => nextAttemptAt(bead.id, backOffCount, now, retry.backOff),
        });
      case 'unknown':
        return unconfirmed(claimed, outcome);
    }
  }
}

/** What was read back is as good as this old; a process may be suspended at any moment. */
const CONFIRMED_MS = 5_000;

/** @returns `undefined` when the bead may be posted now, else what stands in the way. */
async function confirm(held: Claim, beads: Beads): Promise<string | undefined> {
  for (;;) {
    const readAt = Date.now();
    const obstacle = await beads.confirmClaim(held).catch(notReadBack);
    if (obstacle !== undefined || Date.now() - readAt < CONFIRMED_MS) return obstacle;
  }
}

/** Writes the outcome where the bead now is: bd may have renamed it meanwhile. */
async function recordWhereItIs(
  held: Claim,
  beads: Beads,
  transitionOf: (claimed: Claim) => Transition,
): Promise<TransitionResult> {
  const recorded = await beads.transition(transitionOf(held));
  if (recorded.done || recorded.isGone !== true) return recorded;
  const id = await beads.findClaimed(held.token);
  if (id === undefined) return recorded;
  return await beads.transition(transitionOf({ ...held, bead: { ...held.bead, id } }));
}

/** A claim that cannot be read back is not posted, and so is given back and not unknown. */
function notReadBack(error: unknown): string {
  return describeError(error).message;
}

function resultOf(outcome: DispatchOutcome): DispatchResult {
  if (outcome.kind === 'accepted') return 'dispatched';
  if (outcome.kind === 'unknown') return 'unconfirmed';
  return outcome.reason === 'busy' ? 'busy' : 'failed';
}
