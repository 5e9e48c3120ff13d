import * as z from 'zod';

import { BeadBoardUnavailableError, errorMessage } from '../../runtime/errors.ts';
import { call, NoAnswerError, NoConnectionError } from '../../runtime/http.ts';
import { parseJson } from '../../runtime/json.ts';
import type { DispatchOutcome } from '../target.ts';
import { outcomeOf } from './outcome.ts';

const status = z.object({ busy: z.boolean() });

/**
 * The status is cached and cheap, but the first request after BeadBoard's start can take seconds.
 */
const STATUS_TIMEOUT_MS = 10_000;

export class BeadBoard {
  readonly #base: string;
  readonly #dispatchTimeoutMs: number;

  /** @param url BeadBoard's base address, with or without a slash at its end. */
  constructor(url: string, dispatchTimeoutMs: number) {
    this.#base = url.replace(/\/+$/, '');
    this.#dispatchTimeoutMs = dispatchTimeoutMs;
  }

  /**
   * Whether the agent has no room. BeadBoard caches the answer for 2 s and says `false` when it
   * cannot reach the agent service.
   * @throws {BeadBoardUnavailableError} no answer, or one that does not say.
   */
  async isBusy(): Promise<boolean> {
    const url = `${this.#base}/api/agent-status`;
    const answer = await call({ method: 'GET', url, timeoutMs: STATUS_TIMEOUT_MS }).catch(
      (error: unknown) => {
        throw unavailable(url, errorMessage(error), error);
      },
    );
    if (answer.status !== 200) throw unavailable(url, `it answered HTTP ${answer.status}`);
    const parsed = status.safeParse(parseJson(answer.body));
    if (!parsed.success) throw unavailable(url, 'its answer has no "busy": true or false');
    return parsed.data.busy;
  }

  /**
   * Asks BeadBoard to start an agent on a bead; once, whatever comes of it.
   * @param traceparent W3C trace context of the tick.
   * @returns what is known of the outcome; never throws for what the network does.
   */
  async dispatch(beadId: string, traceparent: string): Promise<DispatchOutcome> {
    try {
      const answer = await call({
        method: 'POST',
        url: `${this.#base}/api/agent-dispatch`,
        headers: { 'content-type': 'application/json', traceparent },
        body: JSON.stringify({ taskId: beadId }),
        timeoutMs: this.#dispatchTimeoutMs,
      });
      return outcomeOf(answer);
    } catch (error) {
      const words = errorMessage(error);
      if (error instanceof NoConnectionError) {
        return { kind: 'refused', reason: 'unreachable', words, httpStatus: undefined };
      }
      if (error instanceof NoAnswerError) return { kind: 'unknown', reason: 'no-answer', words };
      throw error;
    }
  }
}

function unavailable(url: string, why: string, cause?: unknown): BeadBoardUnavailableError {
  return new BeadBoardUnavailableError(
    `BeadBoard did not say at ${url} whether the agent is busy: ${why}. Check BEADBOARD_URL and that BeadBoard runs; no further bead was claimed.`,
    { cause },
  );
}
