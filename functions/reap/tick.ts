import type { AgentService, JobState } from '../../shared/agent-service/agent-service.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import type { Beads, BeadsDatabase } from '../../shared/beads/beads.ts';
import { reap } from '../../shared/beads/transitions.ts';
import { settleOrphans } from '../../shared/settle-orphans.ts';
import type { TickContext } from '../../shared/tick-function.ts';
import { logUnwritten } from '../../shared/unwritten.ts';
import { AT_WORK, isWorthAsking, judge, type Judgement } from './judge.ts';

export interface ReapParts {
  database: BeadsDatabase;
  agentService: AgentService | undefined;
  reapAfterMinutes: number;
}

export type ReapCounts = Record<
  'inProgress' | 'blocked' | 'left' | 'leftOver' | 'released' | 'orphaned' | 'errors',
  number
>;

/**
 * One tick of the reaper: look at what is in progress, settle what a dead dispatcher left, judge each
 * by its age and by what its job is known to do, and block what has stalled, unless somebody touches
 * it in the meantime.
 *
 * @returns how many beads came to what.
 * @throws when the database does not answer.
 */
export async function reapTick(
  { database, agentService, reapAfterMinutes }: ReapParts,
  context: TickContext,
): Promise<ReapCounts> {
  const { log, relay } = context;
  return await database.use(context.envelope, async (beads) => {
    const { inProgress, bad, now, unsentSince } = await beads.look();
    if (unsentSince !== undefined) relay.report();
    for (const { id, problem } of bad) log.warn({ bead: id, problem }, 'bad row');

    const settled = await settleOrphans(beads, inProgress, context);
    const leftOver = settled.released;
    const counts = { inProgress: inProgress.length, blocked: 0, left: 0, leftOver, ...settled };
    const evidence = evidenceFrom(agentService);
    for (const bead of inProgress) {
      if (context.isStopping()) break;
      const jobState = isWorthAsking(bead, now) ? await evidence(bead) : undefined;
      counts[await carryOut(judge(bead, jobState, now, reapAfterMinutes), bead, beads, context)] +=
        1;
    }
    return counts;
  });
}

async function carryOut(
  judgement: Judgement,
  bead: Bead,
  beads: Beads,
  { log, relay }: TickContext,
): Promise<'blocked' | 'left' | 'errors'> {
  try {
    const outcome =
      judgement.kind === 'block'
        ? await beads.transition(reap(bead, judgement))
        : ({ done: false, reason: judgement.reason } as const);
    if (!outcome.done) {
      log.debug({ bead: bead.id, reason: outcome.reason }, 'left alone');
      return 'left';
    }
    relay.report(outcome.events);
    log.info({ bead: bead.id }, 'blocked: no progress');
    return 'blocked';
  } catch (error) {
    logUnwritten(error, bead.id, log);
    return 'errors';
  }
}

/**
 * Asks the agent service for the state of a bead's job. A service that once gave no answer is not
 * asked again in this tick. An id that only the agent noted is believed when the service knows it as
 * at work, and not otherwise: agents have been seen to note something else.
 */
function evidenceFrom(
  agentService: AgentService | undefined,
): (bead: Bead) => Promise<JobState | undefined> {
  let answers = true;
  return async ({ job }) => {
    if (job === undefined || agentService === undefined || !answers) return undefined;
    const state = await agentService.jobState(job.id);
    answers = state !== undefined;
    const isBelieved = job.from === 'beadboard' || (state !== undefined && AT_WORK.has(state));
    return isBelieved ? state : undefined;
  };
}
