import type { JobState } from '../../shared/agent-service/agent-service.ts';
import type { Bead } from '../../shared/beads/bead.ts';
import type { Stall } from '../../shared/beads/transitions.ts';

/** Which beads in progress have stalled. Pure. */

export type Verdict = { kind: 'leave'; reason: string } | ({ kind: 'block' } & Stall);

/** The states in which a job of the agent service still counts as work. */
const AT_WORK: ReadonlySet<JobState> = new Set(['queued', 'running']);

const MS_PER_MINUTE = 60_000;

/** Whole minutes since the bead was last updated, by whoever; an agent's note counts as progress. */
export function ageMinutesOf({ updatedAt }: Bead, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - updatedAt.getTime()) / MS_PER_MINUTE));
}

/** Stale beads are the only ones worth a question to the agent service. */
export function isStale(bead: Bead, now: Date, thresholdMinutes: number): boolean {
  return ageMinutesOf(bead, now) > thresholdMinutes;
}

/**
 * @param jobState what the agent service says of the bead's job; `undefined` when there is no job
 *   on record, no service to ask, or no answer. Age decides then.
 */
export function judge(
  bead: Bead,
  jobState: JobState | undefined,
  now: Date,
  thresholdMinutes: number,
): Verdict {
  const ageMinutes = ageMinutesOf(bead, now);
  if (!isStale(bead, now, thresholdMinutes)) {
    return { kind: 'leave', reason: `it was updated ${ageMinutes} minutes ago` };
  }
  if (jobState !== undefined && AT_WORK.has(jobState)) {
    return { kind: 'leave', reason: `its job ${bead.jobId} is ${jobState}` };
  }
  return { kind: 'block', ageMinutes, thresholdMinutes, jobId: bead.jobId, jobState };
}
