import { AT_WORK, JOB_LOST, NO_ANSWER, type JobState } from '../agent-service/agent-service.ts';
import type { Bead } from '../beads/rows/bead.ts';
import type { Stall } from '../beads/write/transitions.ts';

/** Which beads in progress have stalled. Pure. */

export type StallDecision = { kind: 'leave'; reason: string } | ({ kind: 'block' } & Stall);

/** The states in which a job certainly does not work any more; any other word is no evidence. */
const ENDED: ReadonlySet<JobState> = new Set(['completed', 'failed', 'timeout', 'error', JOB_LOST]);

const MS_PER_MINUTE = 60_000;

/**
 * Whole minutes since the last sign of progress: an update by whoever (an agent's note counts), or
 * a heartbeat of its worker, which bd keeps out of `updated_at`.
 */
export function ageMinutesOf({ updatedAt, lease }: Bead, now: Date): number {
  const last = Math.max(updatedAt.getTime(), lease?.heartbeatAt.getTime() ?? 0);
  return Math.max(0, Math.floor((now.getTime() - last) / MS_PER_MINUTE));
}

/**
 * A bead that was touched this recently is left alone, whatever its job is said to do: the agent
 * may be about to close it, or the service about to know the job.
 */
const GRACE_MINUTES = 2;

/** Only beads past their grace, with a job on record, are worth a question to the agent service. */
export function isWorthAsking(bead: Bead, now: Date): boolean {
  return bead.job !== undefined && ageMinutesOf(bead, now) >= GRACE_MINUTES;
}

/**
 * @param jobState what the agent service says of the bead's job; `undefined` when there is no job
 *   on record or no service to ask. Age decides then. A job that is lost or has ended
 *   without closing its bead need not wait for that age.
 */
export function decideStall(
  bead: Bead,
  jobState: JobState | undefined,
  now: Date,
  thresholdMinutes: number,
): StallDecision {
  const ageMinutes = ageMinutesOf(bead, now);
  if (bead.lease !== undefined && bead.lease.expiresAt > now) {
    return { kind: 'leave', reason: `its lease runs until ${bead.lease.expiresAt.toISOString()}` };
  }
  if (jobState !== undefined && AT_WORK.has(jobState)) {
    return { kind: 'leave', reason: `its job ${bead.job?.id} is ${jobState}` };
  }
  const hasEnded = jobState !== undefined && ENDED.has(jobState) && ageMinutes >= GRACE_MINUTES;
  if (!hasEnded && ageMinutes <= thresholdMinutes) {
    return { kind: 'leave', reason: `it made progress ${ageMinutes} minutes ago` };
  }
  const threshold = hasEnded ? GRACE_MINUTES : thresholdMinutes;
  return {
    kind: 'block',
    ageMinutes,
    thresholdMinutes: threshold,
    jobId: bead.job?.id,
    jobState: jobState === NO_ANSWER ? undefined : jobState,
    isUnanswered: jobState === NO_ANSWER,
  };
}
