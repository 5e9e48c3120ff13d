import * as z from 'zod';

import { AgentServiceDeniedError, errorMessage } from '../runtime/errors.ts';
import { call } from '../runtime/http.ts';
import { parseJson } from '../runtime/json.ts';
import type { Logger } from '../runtime/log.ts';
import type { Settings } from '../settings/settings.ts';

/** Both calls answer from memory; five seconds mean that the service is not well. */
const TIMEOUT_MS = 5_000;

const health = z.object({
  active: z.int().min(0),
  queued: z.int().min(0),
  capacity: z.int().min(0),
});
const DENIED: ReadonlySet<number> = new Set([401, 403]);
const missing = z.object({ detail: z.string().regex(/job not found/i) });
const job = z.object({ status: z.string().regex(/^[\w.-]{1,64}$/) });

/** In the service's own words, for example `running` or `completed`; and {@link JOB_LOST}. */
export type JobState = string;
/** The service does not know the job, as after its restart or an hour after the job's end. */
export const JOB_LOST = 'lost';
/** The service was asked, or was to be, and did not say. */
export const NO_ANSWER = 'no-answer';

/** The states in which a job of the agent service still counts as work. */
export const AT_WORK: ReadonlySet<JobState> = new Set(['queued', 'running']);

/**
 * The agent service, asked for evidence only. It is optional, so that no answer is never an error:
 * it is logged, and the caller decides without.
 */
export class AgentService {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #log: Logger;

  constructor(url: string, token: string | undefined, log: Logger) {
    this.#base = url.replace(/\/+$/, '');
    this.#token = token;
    this.#log = log;
  }

  /** @returns the client, or `undefined` when no agent service is configured. */
  static of(
    { AGENT_SERVICE_URL, AGENT_SERVICE_TOKEN }: Settings,
    log: Logger,
  ): AgentService | undefined {
    return AGENT_SERVICE_URL === undefined
      ? undefined
      : new AgentService(AGENT_SERVICE_URL, AGENT_SERVICE_TOKEN, log);
  }

  /** @returns how many more jobs start at once, or `undefined` when the service does not say. */
  async freeCapacity(): Promise<number | undefined> {
    const answer = await this.#get('/health', {});
    const parsed = answer?.status === 200 ? health.safeParse(parseJson(answer.body)) : undefined;
    if (parsed?.success !== true) return undefined;
    const { active, queued, capacity } = parsed.data;
    return Math.max(0, capacity - active - queued);
  }

  /**
   * @returns the job's state, {@link JOB_LOST}, or {@link NO_ANSWER}.
   * @throws {AgentServiceDeniedError} it does not accept the token.
   */
  async jobState(id: string): Promise<JobState> {
    const headers: Record<string, string> =
      this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const answer = await this.#get(`/jobs/${encodeURIComponent(id)}`, headers);
    if (answer !== undefined && DENIED.has(answer.status)) {
      throw new AgentServiceDeniedError(this.#base, answer.status);
    }
    if (answer?.status === 404) {
      // Only the service's own 404 says so; that of a proxy before it says nothing.
      return missing.safeParse(parseJson(answer.body)).success ? JOB_LOST : NO_ANSWER;
    }
    const parsed = answer?.status === 200 ? job.safeParse(parseJson(answer.body)) : undefined;
    return parsed?.success === true ? parsed.data.status : NO_ANSWER;
  }

  async #get(path: string, headers: Record<string, string>) {
    const url = `${this.#base}${path}`;
    try {
      const answer = await call({ method: 'GET', url, headers, timeoutMs: TIMEOUT_MS });
      if (answer.status !== 200 && answer.status !== 404) {
        this.#log.warn(
          { url, status: answer.status },
          'the agent service did not answer as expected',
        );
      }
      return answer;
    } catch (error) {
      this.#log.warn({ url, reason: errorMessage(error) }, 'the agent service does not answer');
      return undefined;
    }
  }
}
