import { CloudEvent, HTTP } from 'cloudevents';

import { errorMessage } from '../runtime/errors.ts';
import { call, NoAnswerInTimeError } from '../runtime/http.ts';

/** What a sink did with one event. */
export type Delivery =
  | { kind: 'taken' }
  /**
   * It said no to this event, or nothing at all, as when a subscriber of it hangs; another one may
   * fare better.
   */
  | { kind: 'refused'; problem: string }
  /** It takes nothing now: not there, hanging, failing, or not a sink at all. */
  | { kind: 'away'; problem: string };

/**
 * The answers that may be about what was sent: bad request, too large, wrong type, not processable;
 * and 500, with which a broker answers when one subscriber of an event failed and has no dead
 * letter sink.
 */
const ABOUT_THE_EVENT: ReadonlySet<number> = new Set([400, 413, 415, 422, 431, 500]);

/** Where a SinkBinding says that events go: a broker's ingress, as a rule. */
export class Sink {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Sends one event, in binary mode; never throws.
   * @param event a CloudEvent in JSON format.
   * @param timeoutMs a broker answers only when delivery to all subscribers has ended.
   */
  async deliver(event: string, timeoutMs: number): Promise<Delivery> {
    let message: ReturnType<typeof HTTP.binary>;
    try {
      const attributes: object = JSON.parse(event);
      message = HTTP.binary(new CloudEvent({ ...attributes }));
    } catch (error) {
      return {
        kind: 'refused',
        problem: `what is recorded is no CloudEvent: ${errorMessage(error)}`,
      };
    }
    try {
      const headers = Object.fromEntries(
        Object.entries(message.headers).map(([name, value]) => [
          name,
          name.startsWith('ce-') ? headerValue(String(value)) : String(value),
        ]),
      );
      const traceparent = headers['ce-traceparent'];
      const { status } = await call({
        method: 'POST',
        url: this.#url,
        headers: traceparent === undefined ? headers : { ...headers, traceparent },
        body: String(message.body),
        timeoutMs,
      });
      if (status >= 200 && status < 300) return { kind: 'taken' };
      const kind = ABOUT_THE_EVENT.has(status) ? 'refused' : 'away';
      return { kind, problem: `HTTP ${status}` };
    } catch (error) {
      const kind = error instanceof NoAnswerInTimeError ? 'refused' : 'away';
      return { kind, problem: errorMessage(error) };
    }
  }
}

/** Percent-encodes what a header cannot carry (CloudEvents HTTP binding 1.0.2, section 3.1.3.2). */
function headerValue(value: string): string {
  return value.toWellFormed().replaceAll(/[^!#$&-~]/gu, encodeURIComponent);
}
