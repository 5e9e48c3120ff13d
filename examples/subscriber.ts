import type { HttpFunction } from '@google-cloud/functions-framework';
import type { CloudEvent } from 'cloudevents';

import { readRequest } from '../shared/events/cloud-event.ts';
import { errorMessage, NotACloudEventError } from '../shared/runtime/errors.ts';
import type { Logger } from '../shared/runtime/log.ts';
import { oneLine } from '../shared/runtime/quote.ts';

/**
 * An event that this subscriber can never handle; a broker gives it to its dead letter sink at
 * once.
 */
export class UnusableEventError extends Error {}

/**
 * Makes an HTTP function of a subscriber, as a Knative Trigger wants one. Answers: 204 with an
 * empty body when it is done with the event; 400 for what is no CloudEvent or can never be handled,
 * which a broker does not repeat; 503 for everything else, which it does. (Behind a Trigger any
 * other body would be taken for a reply event.)
 *
 * @param handle called for each delivery; events come at least once, so that it deduplicates by id.
 */
export function subscriber(
  log: Logger,
  handle: (event: CloudEvent<unknown>, data: unknown) => Promise<void>,
): HttpFunction {
  return async (request, response) => {
    let event: CloudEvent<unknown> | undefined;
    try {
      const { event: read, data } = readRequest(request);
      event = read;
      await handle(event, data);
      response.status(204).end();
    } catch (error) {
      const isHopeless =
        error instanceof NotACloudEventError || error instanceof UnusableEventError;
      const { headers } = request;
      const { id, type } = event ?? { id: headers['ce-id'], type: headers['ce-type'] };
      const about = { id: oneLine(String(id)), type: oneLine(String(type)) };
      log.warn({ ...about, problem: oneLine(errorMessage(error)) }, 'event not handled');
      response.status(isHopeless ? 400 : 503).end();
    }
  };
}
