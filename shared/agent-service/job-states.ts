import { AT_WORK, NO_ANSWER, type AgentService, type JobState } from './agent-service.ts';
import type { Bead } from '../beads/rows/bead.ts';
import { AgentServiceDeniedError } from '../runtime/errors.ts';

/** The service answers from memory; more at once would only fill its queue. */
const LANES = 8;
/**
 * Jobs that are not asked about within this are judged without; with it a tick stays within its
 * Service's time-out.
 */
const BUDGET_MS = 20_000;

export interface JobStates {
  /** By bead; {@link NO_ANSWER} for those that could not be asked about. */
  states: ReadonlyMap<string, JobState>;
  /** The service does not accept the token. */
  denied: AgentServiceDeniedError | undefined;
}

/**
 * Asks the agent service for the jobs of some beads, side by side and within a budget. A service
 * that once gave no answer is not asked again. An id that only the agent noted is believed when the
 * service knows it as at work, and not otherwise: agents have been seen to note something else.
 */
export async function readJobStates(
  agentService: AgentService | undefined,
  beads: readonly Bead[],
): Promise<JobStates> {
  const states = new Map<string, JobState>();
  if (agentService === undefined) return { states, denied: undefined };
  const deadline = performance.now() + BUDGET_MS;
  let answers = true;
  let denied: AgentServiceDeniedError | undefined;
  const waiting = [...beads];
  const lane = async () => {
    for (let bead = waiting.shift(); bead !== undefined; bead = waiting.shift()) {
      const { job } = bead;
      if (job === undefined) continue;
      let state: JobState = NO_ANSWER;
      try {
        if (answers && performance.now() < deadline) state = await agentService.jobState(job.id);
      } catch (error) {
        if (!(error instanceof AgentServiceDeniedError)) throw error;
        denied = error;
      }
      answers &&= state !== NO_ANSWER;
      if (job.from === 'beadboard' || AT_WORK.has(state)) states.set(bead.id, state);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { states, denied };
}
