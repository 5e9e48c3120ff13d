import type { HttpFunction } from '@google-cloud/functions-framework';

import { isPlainPost, readRequest, typeForLog } from '../events/cloud-event.ts';
import { NotACloudEventError, publicError } from '../runtime/errors.ts';
import { holdSignals } from '../runtime/signals.ts';
import { traceOf } from '../runtime/trace.ts';
import type { TickRunner } from './tick-runner.ts';

/**
 * Makes an HTTP function of a tick. Any valid CloudEvent is a tick, since a tick reads the
 * database and never the event's data. Answers: 204 looked and did what there was to do, or
 * paused; 400 not a CloudEvent; 503 could not look or finish, which a PingSource and a broker
 * repeat (of 500 a PingSource loses the tick).
 * @param takesPlainPost whether a POST without anything in it is a tick, too.
 */
export function tickFunction(runner: TickRunner, takesPlainPost: boolean): HttpFunction {
  return async (request, response) => {
    await holdSignals(async () => {
      try {
        if (request.method !== 'POST') throw new NotACloudEventError('a tick is sent with POST');
        const inHeaders = request.headers['traceparent'];
        if (takesPlainPost && isPlainPost(request)) {
          await runner.run(traceOf(inHeaders), 'plain POST');
        } else {
          const { event } = readRequest(request);
          await runner.run(traceOf(event['traceparent'] ?? inHeaders), typeForLog(event));
        }
        response.status(204).end();
      } catch (error) {
        const status = error instanceof NotACloudEventError ? 400 : 503;
        response.status(status).json(publicError(error));
      }
      // The answer is on its way; a broker's answers may take longer.
      await runner.finish();
    });
  };
}
