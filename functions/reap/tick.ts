import type { AgentService } from '../../shared/agent-service/agent-service.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import type { Beads, BeadsDatabase } from '../../shared/beads/beads.ts';
import { isSendDue } from '../../shared/beads/outbox.ts';
import { reap } from '../../shared/beads/transitions.ts';
import { settleOrphans } from '../../shared/settle-orphans.ts';
import type { TickContext } from '../../shared/tick-function.ts';
import { isWorthAsking, judge, type Judgement } from './judge.ts';
import { readJobStates } from './job-states.ts';

export interface ReapParts {
  database: BeadsDatabase;
  agentService: AgentService | undefined;
  reapAfterMinutes: number;
}

export type ReapCounts = Record<
  'inProgress' | 'blocked' | 'left' | 'released' | 'orphaned' | 'errors',
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
    const { inProgress, bad, now, outbox, hasOldIntents } = await beads.look();
    if (isSendDue(outbox, now)) relay.wake();
    for (const { id, problem } of bad) log.warn({ bead: id, problem }, 'bad row');

    const settled = await settleOrphans(beads, inProgress, context);
    const counts = { inProgress: inProgress.length, blocked: 0, left: 0, ...settled };
    const { states, denied } = await readJobStates(
      agentService,
      inProgress.filter((bead) => isWorthAsking(bead, now)),
    );
    for (const bead of inProgress) {
      if (context.isStopping()) break;
      const judgement = judge(bead, states.get(bead.id), now, reapAfterMinutes);
      counts[await carryOut(judgement, bead, beads, context)] += 1;
    }
    if (hasOldIntents) {
      const swept = await beads.sweepIntents(now);
      log.info({ swept }, 'removed intents of claims that have ended');
    }
    // Told when all is done that can be done without.
    if (denied !== undefined) throw denied;
    return counts;
  });
}

async function carryOut(
  judgement: Judgement,
  bead: Bead,
  beads: Beads,
  { log, relay, faults }: TickContext,
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
    relay.wake(outcome.events);
    faults.clear();
    log.info({ bead: bead.id }, 'blocked: no progress');
    return 'blocked';
  } catch (error) {
    await faults.record(error, bead.id, beads);
    return 'errors';
  }
}
