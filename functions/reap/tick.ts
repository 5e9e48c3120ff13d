import type { AgentService } from '../../shared/agent-service/agent-service.ts';
import type { Bead } from '../../shared/beads/rows/bead.ts';
import type { Beads, BeadsDatabase } from '../../shared/beads/beads.ts';
import { isSendDue } from '../../shared/beads/rows/outbox.ts';
import { reap } from '../../shared/beads/write/transitions.ts';
import { recoverOrphans } from '../../shared/tick/recover-orphans.ts';
import { tellEnds } from '../../shared/tick/tell-news.ts';
import type { TickContext, TickResult } from '../../shared/tick/tick-context.ts';
import { isWorthAsking, decideStall, type StallDecision } from '../../shared/rules/stall.ts';
import { readJobStates } from '../../shared/agent-service/job-states.ts';

export interface ReapParts {
  database: BeadsDatabase;
  agentService: AgentService | undefined;
  reapAfterMinutes: number;
}

export type ReapCounts = Record<
  'inProgress' | 'blocked' | 'skipped' | 'completed' | 'released' | 'orphaned' | 'errors',
  number
>;

/**
 * One tick of the reaper: read what is in progress, tell what has ended, recover what a dead dispatcher left, decide on
 * each by its age and by what its job is known to do, and block what has stalled, unless somebody
 * touches it in the meantime.
 *
 * @returns how many beads came to what.
 * @throws when the database does not answer.
 */
export async function reapTick(
  { database, agentService, reapAfterMinutes }: ReapParts,
  context: TickContext,
): Promise<TickResult<ReapCounts>> {
  const { log, relay } = context;
  return await database.use(context.toCloudEvent, async (beads) => {
    const snapshot = await beads.readSnapshot();
    const { inProgress, badRows, now, outbox, hasOldIntents } = snapshot;
    if (isSendDue(outbox, now)) relay.wake();
    for (const { id, problem } of badRows) log.warn({ bead: id, problem }, 'bad row');

    const told = await tellEnds(beads, snapshot, context);
    const recovered = await recoverOrphans(beads, inProgress, context);
    const errors = told.errors + recovered.errors;
    const counts = {
      inProgress: inProgress.length,
      blocked: 0,
      skipped: 0,
      ...told,
      ...recovered,
      errors,
    };
    const { states, denied } = await readJobStates(
      agentService,
      inProgress.filter((bead) => isWorthAsking(bead, now)),
    );
    for (const bead of inProgress) {
      if (context.isStopping()) break;
      const decision = decideStall(bead, states.get(bead.id), now, reapAfterMinutes);
      counts[await carryOut(decision, bead, beads, context)] += 1;
    }
    if (hasOldIntents) {
      const swept = await beads.sweepIntents(now);
      log.info({ swept }, 'removed intents of claims that have ended');
    }
    // Told when all is done that can be done without.
    if (denied !== undefined) throw denied;
    return { counts, isDispatchDue: counts.released > 0 };
  });
}

async function carryOut(
  decision: StallDecision,
  bead: Bead,
  beads: Beads,
  { log, relay, faults }: TickContext,
): Promise<'blocked' | 'skipped' | 'errors'> {
  try {
    const result =
      decision.kind === 'block'
        ? await beads.transition(reap(bead, decision))
        : ({ done: false, reason: decision.reason } as const);
    if (!result.done) {
      log.debug({ bead: bead.id, reason: result.reason }, 'skipped');
      return 'skipped';
    }
    relay.wake(result.events);
    faults.clear();
    log.info({ bead: bead.id }, 'blocked: no progress');
    return 'blocked';
  } catch (error) {
    await faults.record(error, bead.id, beads);
    return 'errors';
  }
}
