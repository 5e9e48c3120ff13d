import { randomInt } from 'node:crypto';

import { AT_WORK, NO_ANSWER, type AgentService } from '../../shared/agent-service/agent-service.ts';
import type { BeadBoard } from '../../shared/beadboard/beadboard.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import { isSendDue } from '../../shared/beads/outbox.ts';
import type { BeadsDatabase } from '../../shared/beads/beads.ts';
import { settleOrphans } from '../../shared/settle-orphans.ts';
import type { TickContext } from '../../shared/tick-function.ts';
import { roomFor, type Decision, type Eligible, type Policy } from './decide.ts';
import { handOver, type HandOver } from './hand-over.ts';
import { Sight } from './sight.ts';

export interface DispatchParts {
  database: BeadsDatabase;
  beadboard: BeadBoard;
  agentService: AgentService | undefined;
  policy: Policy;
  /** A tick takes no new bead after this long. */
  tickTimeoutMs: number;
}

export type DispatchCounts = Record<
  Exclude<HandOver, 'withdrawn'> | 'eligible' | 'left' | 'released' | 'orphaned' | 'errors',
  number
>;

/**
 * One refusal may be the bead's own fault; two in a row are BeadBoard's, and every further try
 * would only cost one more bead an attempt.
 */
const MISSES_THAT_END_A_TICK = 2;

/**
 * Who lost a bead to another tick would meet it at the next one, too; one of the next ten, if they are as urgent,
 * is likely free.
 */
const STEP_ASIDE = 10;

/**
 * One tick of the dispatcher: look, settle what a dead one left, decide, then claim, hand over and
 * record one bead after the other, until BeadBoard is busy, the room is used up or the time is over.
 *
 * @returns how many beads came to what.
 * @throws when it could not look: the database or BeadBoard does not answer.
 */
export async function dispatchTick(
  { database, beadboard, agentService, policy, tickTimeoutMs }: DispatchParts,
  context: TickContext,
): Promise<DispatchCounts> {
  const deadline = performance.now() + tickTimeoutMs;
  return await database.use(context.envelope, async (beads) => {
    let sight = await Sight.take(beads, policy);
    const { seen } = sight;
    if (isSendDue(seen.outbox, seen.now)) context.relay.wake();
    const settled = await settleOrphans(beads, seen.inProgress, context);
    report(sight.decision, context);
    const counts = {
      eligible: sight.decision.eligible.length,
      left: sight.decision.left.length,
      dispatched: 0,
      failed: 0,
      busy: 0,
      unconfirmed: 0,
      lost: 0,
      ...settled,
    };
    if (counts.eligible === 0) return counts;

    const room = await readRoom(agentService, policy, seen.inProgress.length);
    const tried = new Set<string>();
    let misses = 0;
    let isContended = false;
    for (;;) {
      const waiting = sight.decision.eligible.filter(({ bead }) => !tried.has(bead.id));
      const [first] = waiting;
      if (first === undefined) break;
      const next = isContended ? oneOfAsUrgent(first, waiting) : first;
      const stop = await whyStop();
      if (stop !== undefined) {
        context.log.info({ reason: stop, waiting: next.bead.id }, 'no further bead is taken');
        break;
      }
      tried.add(next.bead.id);
      if (await hasJobAtWork(agentService, next.bead)) {
        context.log.warn(
          { bead: next.bead.id, job: next.bead.job?.id },
          'left alone: its job still runs',
        );
        counts.left += 1;
        continue;
      }
      const result = await handOver(next, beads, beadboard, policy.retry, context);
      counts[result === 'withdrawn' ? 'lost' : result] += 1;
      misses = isMiss(result) ? misses + 1 : 0;
      isContended = result === 'lost';
      const goesWell = result === 'dispatched' || isContended;
      if (goesWell && waiting.length > 1 && sight.isCurrent) continue;
      // What was given back in this tick is not in that look.
      if (!sight.hasOthers && counts.released === 0) break;
      sight = await sight.renew();
    }
    return counts;

    async function whyStop(): Promise<string | undefined> {
      if (context.isStopping()) return 'the process is told to end';
      const taken = counts.dispatched + counts.unconfirmed;
      if (taken > 0 && performance.now() > deadline) return "the tick's time is over";
      if (performance.now() > deadline) return 'the time was over before the first bead';
      if (taken >= policy.maxDispatchesPerTick) return 'MAX_DISPATCHES_PER_TICK is reached';
      if (taken >= room) return 'there is no more room';
      // Other ticks may have taken some since.
      if (roomFor(policy, sight.seen.inProgress.length, undefined) === 0)
        return 'MAX_IN_FLIGHT is reached';
      if (misses >= MISSES_THAT_END_A_TICK) return `${misses} dispatches failed in a row`;
      if (counts.busy > 0 || (await beadboard.isBusy())) return 'BeadBoard is busy';
      return undefined;
    }
  });
}

/** An agent service that is configured and does not answer has no room. */
async function readRoom(
  agentService: AgentService | undefined,
  policy: Policy,
  inFlight: number,
): Promise<number> {
  const free = agentService && ((await agentService.freeCapacity()) ?? 0);
  return roomFor(policy, inFlight, free);
}

/**
 * A bead that was reopened, or came back with a restored database, while its job still runs: a second agent would
 * work beside the first one. Where the service does not say there is no evidence, and the bead goes.
 */
async function hasJobAtWork(
  agentService: AgentService | undefined,
  { job }: Bead,
): Promise<boolean> {
  if (job === undefined || agentService === undefined) return false;
  const state = await agentService.jobState(job.id).catch(() => NO_ANSWER);
  return AT_WORK.has(state);
}

const isMiss = (result: HandOver) => result === 'failed' || result === 'unconfirmed';

function oneOfAsUrgent(first: Eligible, waiting: readonly Eligible[]): Eligible {
  const asUrgent = waiting
    .slice(0, STEP_ASIDE)
    .filter(({ bead }) => bead.priority === first.bead.priority);
  return asUrgent[randomInt(asUrgent.length)] ?? first;
}

/** A log line holds so many beads with their reasons; `left` in the tick's line counts them all. */
const MAX_LOGGED = 100;

function report({ left, breaker }: Decision, { log }: TickContext): void {
  if (breaker.kind !== 'closed') log.warn({ breaker }, 'dispatches keep failing');
  if (left.length > 0) log.info({ left: left.slice(0, MAX_LOGGED) }, 'left alone');
}
