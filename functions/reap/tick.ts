import type { AgentService } from '../../shared/agent-service/agent-service.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import type { BeadsDatabase } from '../../shared/beads/beads.ts';
import { reap } from '../../shared/beads/transitions.ts';
import { settleOrphans } from '../../shared/settle-orphans.ts';
import type { TickContext } from '../../shared/tick-function.ts';
import { isStale, judge } from './judge.ts';

export interface ReapParts {
  database: BeadsDatabase;
  agentService: AgentService | undefined;
  reapAfterMinutes: number;
}

export type ReapCounts = Record<
  'inProgress' | 'blocked' | 'left' | 'released' | 'orphaned',
  number
>;

/**
 * One tick of the reaper: look at what is in progress, judge each by its age and by what its job is
 * known to do, and block what has stalled, unless somebody touches it in the meantime.
 *
 * @returns how many beads came to what.
 * @throws when the database does not answer.
 */
export async function reapTick(
  { database, agentService, reapAfterMinutes }: ReapParts,
  context: TickContext,
): Promise<ReapCounts> {
  const { log, relay } = context;
  return await database.use(async (beads) => {
    const { inProgress, bad, now } = await beads.look();
    for (const { id, problem } of bad) log.warn({ bead: id, problem }, 'bad row');

    const settled = await settleOrphans(beads, inProgress, context);
    const counts = { inProgress: inProgress.length, blocked: 0, left: 0, ...settled };
    for (const bead of inProgress) {
      const jobState = isStale(bead, now, reapAfterMinutes)
        ? await jobStateOf(bead, agentService)
        : undefined;
      const verdict = judge(bead, jobState, now, reapAfterMinutes);
      const outcome =
        verdict.kind === 'block'
          ? await beads.transition(reap(bead, verdict))
          : ({ done: false, reason: verdict.reason } as const);
      if (outcome.done) {
        relay.report(outcome.events);
        counts.blocked += 1;
        log.info({ bead: bead.id }, 'blocked: no progress');
      } else {
        counts.left += 1;
        log.debug({ bead: bead.id, reason: outcome.reason }, 'left alone');
      }
    }
    return counts;
  });
}

async function jobStateOf({ jobId }: Bead, agentService: AgentService | undefined) {
  return jobId === undefined ? undefined : await agentService?.jobState(jobId);
}
