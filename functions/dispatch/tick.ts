import { AT_WORK, NO_ANSWER, type AgentService } from '../../shared/agent-service/agent-service.ts';
import type { BeadsDatabase } from '../../shared/beads/beads.ts';
import type { Bead } from '../../shared/beads/rows/bead.ts';
import { isSendDue } from '../../shared/beads/rows/outbox.ts';
import {
  isDispatchDue,
  stopReason,
  type StopCode,
  type TickState,
} from '../../shared/rules/limits.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import { reasonOf } from '../../shared/rules/reasons.ts';
import type { BeadBoard } from '../../shared/targets/beadboard/beadboard.ts';
import { recoverOrphans } from '../../shared/tick/recover-orphans.ts';
import { tellBreaker, tellEnds } from '../../shared/tick/tell-news.ts';
import type { TickContext, TickResult } from '../../shared/tick/tick-context.ts';
import { dispatchBead } from './dispatch-bead.ts';
import { DispatchPlan } from './dispatch-plan.ts';
import { Progress, type DispatchCounts } from './progress.ts';
import type { SkipReport } from './skip-report.ts';

export interface DispatchParts {
  database: BeadsDatabase;
  beadboard: BeadBoard;
  agentService: AgentService | undefined;
  policy: Policy;
  /** Lives as long as the process. */
  skipReport: SkipReport;
  /** A tick takes no new bead after this long. */
  tickTimeoutMs: number;
}

/**
 * One tick of the dispatcher: read the beads, tell what has ended, recover what a dead one left, decide, then claim,
 * dispatch and record one bead after the other, until a limit is reached or none is left.
 *
 * @returns how many beads came to what.
 * @throws when it could not look: the database or BeadBoard does not answer.
 */
export async function dispatchTick(
  { database, beadboard, agentService, policy, skipReport, tickTimeoutMs }: DispatchParts,
  context: TickContext,
): Promise<TickResult<DispatchCounts>> {
  const deadline = performance.now() + tickTimeoutMs;
  return await database.use(context.toCloudEvent, async (beads) => {
    let plan = await DispatchPlan.read(beads, policy);
    const { outbox, now, inProgress } = plan.snapshot;
    if (isSendDue(outbox, now)) context.relay.wake();
    const told = await tellEnds(beads, plan.snapshot, context);
    await tellBreaker(beads, plan.snapshot, context);
    const recovered = await recoverOrphans(beads, inProgress, context);
    const { eligible, skipped } = plan.decision;
    const progress = new Progress({
      eligible: eligible.length,
      skipped: skipped.length,
      ...told,
      ...recovered,
      errors: told.errors + recovered.errors,
    });
    skipReport.report(plan.decision, context.log);
    skipReport.reportConditions(plan.snapshot.open, now, policy, context.log);
    if (eligible.length === 0) return { counts: progress.counts, isDispatchDue: false };

    const freeCapacity = agentService && ((await agentService.freeCapacity()) ?? 'no-answer');
    let stop: StopCode | undefined;
    /** BeadBoard's answer for the next bead, asked for while the last one is recorded. */
    let isBusy: Promise<boolean> | undefined;
    for (;;) {
      const remaining = progress.remaining(plan.decision.eligible);
      const next = progress.choose(remaining);
      if (next === undefined) break;
      stop = stopReason(stateNow(), policy) ?? (await askBeadBoard());
      if (stop !== undefined) {
        progress.skipAll(remaining);
        const reason = reasonOf(stop, { count: progress.missesInARow });
        skipReport.reportStop(reason, remaining, next, context.log);
        break;
      }
      if (await hasJobAtWork(agentService, next.bead)) {
        progress.skip(next.bead.id);
        const reason = reasonOf('job-at-work', { job: next.bead.job?.id ?? '' });
        context.log.warn({ skipped: [{ id: next.bead.id, ...reason }] }, 'skipped');
        continue;
      }
      const result = await dispatchBead(next, beads, beadboard, policy.retry, context, () => {
        if (remaining.length > 1 && stopReason(stateNow(1), policy) === undefined) askAhead();
      });
      progress.record(next.bead.id, result);
      if (progress.goesWell && remaining.length > 1 && plan.isCurrent) continue;
      // What was given back in this tick is not in that snapshot.
      if (!plan.hasOthers && recovered.released === 0) break;
      plan = await plan.renew();
      await tellBreaker(beads, plan.snapshot, context);
    }
    return { counts: progress.counts, isDispatchDue: isDispatchDue(stop, progress.taken) };

    /** @param more beads that are taken and not recorded yet. */
    function stateNow(more = 0): TickState {
      return {
        isStopping: context.isStopping(),
        isTimeOver: performance.now() > deadline,
        taken: progress.taken + more,
        freeCapacity,
        inFlight: plan.snapshot.inProgress.length + more,
        missesInARow: progress.missesInARow,
        wasBusy: progress.wasBusy,
      };
    }

    function askAhead(): void {
      isBusy = beadboard.isBusy();
      // Whoever waits for the answer is told that there was none.
      isBusy.catch(() => undefined);
    }

    async function askBeadBoard(): Promise<StopCode | undefined> {
      const asked = isBusy ?? beadboard.isBusy();
      isBusy = undefined;
      return (await asked) ? 'beadboard-busy' : undefined;
    }
  });
}

/**
 * A bead that was reopened, or came back with a restored database, while its job still runs: a
 * second agent would work beside the first one. Where the service does not say there is no
 * evidence, and the bead goes.
 */
async function hasJobAtWork(
  agentService: AgentService | undefined,
  { job }: Bead,
): Promise<boolean> {
  if (job === undefined || agentService === undefined) return false;
  const state = await agentService.jobState(job.id).catch(() => NO_ANSWER);
  return AT_WORK.has(state);
}
