import { randomUUID } from 'node:crypto';

import type { HttpFunction } from '@google-cloud/functions-framework';

import { envelopeFrom, type Envelope } from './audit/envelope.ts';
import { Relay } from './audit/relay.ts';
import { Sink } from './audit/sink.ts';
import { wakeUpEvent } from './audit/wake-up.ts';
import type { BeadsDatabase } from './beads/beads.ts';
import { readCloudEvent } from './cloud-event.ts';
import {
  describeError,
  NotACloudEventError,
  TickIncompleteError,
  toldOutside,
  UNEXPECTED,
} from './errors.ts';
import { holdSignals, isStopping } from './hold-signals.ts';
import type { Logger } from './log.ts';
import { OneAtATime } from './one-at-a-time.ts';
import type { Settings } from './settings.ts';
import { traceOf } from './trace.ts';

/** A broker answers when the tick that was asked for has ended; there is no need to hear of that. */
const ASK_TIMEOUT_MS = 5_000;

/** What a tick gets of its surroundings. */
export interface TickContext {
  log: Logger;
  /** Takes what the tick has recorded to the sink, beside its work. */
  relay: Relay;
  /** Makes events of what the tick does. */
  envelope: Envelope;
  /** W3C trace context, for calls and events. */
  traceparent: string;
  /** Whether the process has been told to end; no new bead is taken then. */
  isStopping(): boolean;
}

/**
 * How many beads a tick did something with, by what it did. `errors` could not be written; `leftOver` can
 * be dispatched at once, by a tick that is asked for through the broker.
 */
export type Counts = Readonly<Record<string, number>> & {
  readonly errors: number;
  readonly leftOver: number;
};

export type Tick = (context: TickContext) => Promise<Counts>;

/**
 * Makes an HTTP function of a tick. Any valid CloudEvent is a tick, since a tick looks at the
 * database and never at the event's data. Answers: 204 looked and did what there was to do, or
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

  /** Ticks of one process do not overlap: BeadBoard would call itself free for both. */
  const ticks = new OneAtATime<number>();

  return async (request, response) => {
    await holdSignals(async () => {
      try {
        if (request.method !== 'POST') throw new NotACloudEventError('a tick is sent with POST');
        const event = readCloudEvent(request.headers, request.body);
        if (settings.PAUSED) {
          log.info({ trigger: event.type }, 'paused: nothing is done');
          response.status(204).end();
          return;
        }
        const context = contextOf(traceOf(event['traceparent'] ?? request.headers['traceparent']));
        const leftOver = await ticks.run(() => runTick(context, event.type));
        response.status(204).end();
        if (leftOver > 0) await askForDispatch(leftOver, context);
      } catch (error) {
        const status = error instanceof NotACloudEventError ? 400 : 503;
        response.status(status).json(toldOutside(error));
      }
    });
  };

  function contextOf(traceparent: string): TickContext {
    const { source: project, eventExtensions: extensions } = settings;
    const envelope = envelopeFrom({ project, function: name, traceparent, extensions });
    const relay = new Relay({ sink, openOutbox: () => database.openOutbox(), log });
    return { log, relay, envelope, traceparent, isStopping };
  }

  /** Through the broker, once this tick has ended; one that gets lost costs the time to the next. */
  async function askForDispatch(beads: number, { envelope }: TickContext): Promise<void> {
    const wakeUp = wakeUpEvent('dispatch.due.v1', { reason: 'left', beads });
    await sink?.deliver(envelope(wakeUp), ASK_TIMEOUT_MS);
  }

  /** @returns how many beads can be dispatched at once. */
  async function runTick(context: TickContext, trigger: string): Promise<number> {
    const startedAt = performance.now();
    try {
      const counts = await tick(context);
      await context.relay.settle();
      const durationMs = Math.round(performance.now() - startedAt);
      log.info({ ...counts, trigger, durationMs }, 'tick');
      if (counts.errors > 0) throw new TickIncompleteError(counts.errors);
      return counts.leftOver;
    } catch (error) {
      const { code, message } = describeError(error);
      const stack = code === UNEXPECTED && error instanceof Error ? { stack: error.stack } : {};
      log.error({ code, trigger, ...stack }, message);
      await context.relay.settle();
      await context.relay.announce(
        context.envelope({
          id: randomUUID(),
          name: 'tick.failed.v1',
          subject: name,
          at: new Date(),
          data: { function: name, ...toldOutside(error) },
        }),
      );
      throw error;
    }
  }
}
