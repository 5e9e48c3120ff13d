import type { HttpFunction } from '@google-cloud/functions-framework';

import { toCloudEventFrom, type ToCloudEvent } from '../events/to-cloud-event.ts';
import { Relay } from '../events/relay.ts';
import { Sink } from '../events/sink.ts';
import { tickFailed } from '../events/tick-failed.ts';
import type { BeadsDatabase } from '../beads/beads.ts';
import { BeadFaults } from './bead-faults.ts';
import { readRequest, typeForLog } from '../events/cloud-event.ts';
import {
  errorForLog,
  NotACloudEventError,
  publicError,
  TickIncompleteError,
} from '../runtime/errors.ts';
import { holdSignals, isStopping } from '../runtime/signals.ts';
import type { Logger } from '../runtime/log.ts';
import { SingleFlight } from '../runtime/single-flight.ts';
import type { Settings } from '../runtime/settings.ts';
import { traceOf } from '../runtime/trace.ts';

/** What a tick gets of its surroundings. */
export interface TickContext {
  log: Logger;
  /** Takes what the tick has recorded to the sink, beside its work. */
  relay: Relay;
  /** What went wrong with single beads. */
  faults: BeadFaults;
  /** Makes events of what the tick does. */
  toCloudEvent: ToCloudEvent;
  /** W3C trace context, for calls and events. */
  traceparent: string;
  /** Whether the process has been told to end; no new bead is taken then. */
  isStopping(): boolean;
}

/** How many beads a tick did something with, by what it did; `errors` could not be written. */
export type Counts = Readonly<Record<string, number>> & { readonly errors: number };

/** What one tick came to. */
export interface TickResult<C extends Counts = Counts> {
  counts: C;
  /** More can be dispatched at once: whoever can should run another tick. */
  isDispatchDue: boolean;
}

export type Tick = (context: TickContext) => Promise<TickResult>;

/**
 * Makes an HTTP function of a tick. Any valid CloudEvent is a tick, since a tick reads the
 * database and never the event's data. Answers: 204 looked and did what there was to do, or
 * paused; 400 not a CloudEvent; 503 could not look or finish, which a PingSource and a broker
 * repeat (of 500 a PingSource loses the tick).
 */
export function tickFunction(
  name: string,
  settings: Settings,
  database: BeadsDatabase,
  log: Logger,
  tick: Tick,
): HttpFunction {
  const sink = settings.K_SINK === undefined ? undefined : new Sink(settings.K_SINK);
  const relay = new Relay({ sink, openOutbox: () => database.openOutbox(), log });
  log.info(
    {
      database: settings.database.database,
      host: settings.database.host,
      user: settings.database.user,
      paused: settings.PAUSED,
    },
    settings.K_SINK === undefined
      ? `${name} starts; no K_SINK, so events are kept in the outbox and logged`
      : `${name} starts; events go to ${settings.K_SINK}`,
  );

  for (const warning of settings.warnings) log.warn(warning);

  /** Ticks of one process do not overlap: BeadBoard would call itself free for both. */
  const ticks = new SingleFlight<void>();

  return async (request, response) => {
    await holdSignals(async () => {
      try {
        if (request.method !== 'POST') throw new NotACloudEventError('a tick is sent with POST');
        const { event } = readRequest(request);
        if (settings.PAUSED) {
          log.info({ trigger: typeForLog(event) }, 'paused: nothing is done');
          response.status(204).end();
          return;
        }
        const context = contextOf(traceOf(event['traceparent'] ?? request.headers['traceparent']));
        await ticks.run(() => runTick(context, typeForLog(event)));
        response.status(204).end();
      } catch (error) {
        const status = error instanceof NotACloudEventError ? 400 : 503;
        response.status(status).json(publicError(error));
      }
      // The answer is on its way; a broker's answers may take longer.
      await relay.finish();
    });
  };

  function contextOf(traceparent: string): TickContext {
    // So that one search finds a tick's lines, its events and its call to BeadBoard.
    const traced = log.child({ traceId: traceparent.split('-')[1] });
    const { source: project, eventExtensions: extensions } = settings;
    const toCloudEvent = toCloudEventFrom({ project, function: name, traceparent, extensions });
    return {
      log: traced,
      relay,
      faults: new BeadFaults(traced),
      toCloudEvent,
      traceparent,
      isStopping,
    };
  }

  async function runTick(context: TickContext, trigger: string): Promise<void> {
    const startedAt = performance.now();
    try {
      const { counts, isDispatchDue } = await tick(context);
      await relay.flush();
      const durationMs = Math.round(performance.now() - startedAt);
      context.log.info({ ...counts, isDispatchDue, trigger, durationMs }, 'tick');
      if (counts.errors > 0) throw new TickIncompleteError(counts.errors);
    } catch (error) {
      const { message, ...described } = errorForLog(error);
      context.log.error({ ...described, trigger }, message);
      relay.sendNow(context.toCloudEvent(tickFailed(name, settings.source, error)));
      await relay.flush();
      throw error;
    }
  }
}
