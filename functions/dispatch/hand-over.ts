import { describeError } from '../../shared/errors.ts';
import type { DispatchOutcome } from '../../shared/beadboard/outcome.ts';
import type { BeadBoard } from '../../shared/beadboard/beadboard.ts';
import type { Beads } from '../../shared/beads/beads.ts';
import type { Outcome, Transition } from '../../shared/beads/transition.ts';
import {
  claim,
  dispatched,
  failed,
  unconfirmed,
  type Claim,
  type RetryPolicy,
} from '../../shared/beads/transitions.ts';
import type { TickContext } from '../../shared/tick-function.ts';
import type { Eligible } from './decide.ts';

/**
 * What came of one bead. `lost`: somebody else was faster, which is normal. `withdrawn`: it was claimed, and
 * given back unposted, because it is somebody else's or cannot be read. `errors`: the database refused to
 * write it, which is logged.
 */
export type HandOver =
  'dispatched' | 'failed' | 'busy' | 'unconfirmed' | 'lost' | 'withdrawn' | 'errors';

/**
 * The way of one bead: claim it, put the intent to post on record and read the claim back, ask
 * BeadBoard once, and record what is known of the answer.
 *
 * @returns what came of it.
 * @throws when the database stays away; a later tick then settles the claim.
 */
export async function handOver(
  { bead, attempt, rests }: Eligible,
  beads: Beads,
  beadboard: BeadBoard,
  retry: RetryPolicy,
  { log, relay, faults, traceparent }: TickContext,
): Promise<HandOver> {
  try {
    const wanted = claim(bead, attempt);
    const won = await beads.claim(wanted);
    if (!won.done) {
      log.debug({ bead: bead.id, reason: won.reason }, 'claim lost');
      return 'lost';
    }
    relay.wake(won.events);
    const held: Claim = { bead, token: wanted.token, attempt, rests };

    const obstacle = await confirm(held, beads);
    const outcome: DispatchOutcome =
      obstacle === undefined
        ? await beadboard.dispatch(bead.id, traceparent)
        : { kind: 'refused', reason: 'not-held', words: obstacle, httpStatus: undefined };
    // What is known, before anything else can go wrong. An answer's words may hold anything.
    const known = { ...outcome, words: undefined };
    log.info({ bead: bead.id, attempt, outcome: known }, 'handed over');

    const recorded = await record(held, beads, (claim) => recordOf(claim, outcome, retry));
    if (recorded.done) relay.wake(recorded.events);
    else
      log.warn({ bead: bead.id, outcome: known, reason: recorded.reason }, 'outcome not recorded');
    faults.clear();
    return obstacle === undefined ? resultOf(outcome) : 'withdrawn';
  } catch (error) {
    await faults.record(error, bead.id, beads);
    return 'errors';
  }
}

/** What was read back is as good as this old; a process may be suspended at any moment. */
const CONFIRMED_MS = 5_000;

/** @returns `undefined` when the bead may be posted now, else what stands in the way. */
async function confirm(held: Claim, beads: Beads): Promise<string | undefined> {
  for (;;) {
    const readAt = Date.now();
    const obstacle = await beads.obstacleToPost(held).catch(notReadBack);
    if (obstacle !== undefined || Date.now() - readAt < CONFIRMED_MS) return obstacle;
  }
}

/** Writes the outcome where the bead now is: bd may have renamed it meanwhile. */
async function record(
  held: Claim,
  beads: Beads,
  wanted: (held: Claim) => Transition,
): Promise<Outcome> {
  const recorded = await beads.transition(wanted(held));
  if (recorded.done || recorded.isGone !== true) return recorded;
  const id = await beads.findClaimed(held.token);
  if (id === undefined) return recorded;
  return await beads.transition(wanted({ ...held, bead: { ...held.bead, id } }));
}

/** A claim that cannot be read back is not posted, and so is given back and not unknown. */
function notReadBack(error: unknown): string {
  return describeError(error).message;
}

function recordOf(held: Claim, outcome: DispatchOutcome, retry: RetryPolicy): Transition {
  switch (outcome.kind) {
    case 'accepted':
      return dispatched(held, outcome.jobId);
    case 'refused':
      return failed(held, outcome, retry);
    case 'unknown':
      return unconfirmed(held, outcome);
  }
}

function resultOf(outcome: DispatchOutcome): HandOver {
  if (outcome.kind === 'accepted') return 'dispatched';
  if (outcome.kind === 'unknown') return 'unconfirmed';
  return outcome.reason === 'busy' ? 'busy' : 'failed';
}
