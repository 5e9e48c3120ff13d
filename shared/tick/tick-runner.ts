import type { BeadsDatabase } from '../beads/beads.ts';
import { Relay } from '../events/relay.ts';
import { Sink } from '../events/sink.ts';
import { tickFailed } from '../events/tick-failed.ts';
import { toCloudEventFrom } from '../events/to-cloud-event.ts';
import { errorForLog, TickIncompleteError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Settings } from '../settings/settings.ts';
import { holdSignals, isStopping } from '../runtime/signals.ts';
import { SingleFlight } from '../runtime/single-flight.ts';
import { traceIdOf } from '../runtime/trace.ts';
import { BeadFaults } from './bead-faults.ts';
import type { Tick, TickContext } from './tick-context.ts';

/**
 * Runs the ticks of one function in this process, whoever asks for them: one at a time, to their end
 * whatever signal comes, with their log line and their event when they fail.
 */
export class TickRunner {
  readonly #name: string;
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #tick: Tick;
  readonly #relay: Relay;
  /** Ticks of one process do not overlap: BeadBoard would call itself free for both. */
  readonly #ticks = new SingleFlight<void>();

  constructor(name: string, settings: Settings, database: BeadsDatabase, log: Logger, tick: Tick) {
    this.#name = name;
    this.#settings = settings;
    this.#log = log;
    this.#tick = tick;
    const sink = settings.K_SINK === undefined ? undefined : new Sink(settings.K_SINK);
    this.#relay = new Relay({ sink, openOutbox: () => database.openOutbox(), log });
    this.#logStart();
  }

  /**
   * Runs a tick, or while one runs the next one, together with all others who ask.
   * @param traceparent W3C trace context of whoever asks.
   * @param trigger who asks, for the log.
   * @throws when it could not look or finish.
   */
  async run(traceparent: string, trigger: string): Promise<void> {
    if (this.#settings.PAUSED) {
      this.#log.info({ trigger }, 'paused: nothing is done');
      return;
    }
    await holdSignals(async () => this.#ticks.run(async () => this.#run(traceparent, trigger)));
  }

  /** Waits until no tick runs, and then until nothing is under way to the sink. */
  async end(): Promise<void> {
    await this.#ticks.idle();
    await this.#relay.finish();
  }

  /** Waits until nothing is under way to the sink; a broker's answers may take long. */
  async finish(): Promise<void> {
    await holdSignals(async () => this.#relay.finish());
  }

  async #run(traceparent: string, trigger: string): Promise<void> {
    const context = this.#contextOf(traceparent);
    const relay = this.#relay;
    const startedAt = performance.now();
    try {
      const { counts, isDispatchDue } = await this.#tick(context);
      await relay.flush();
      const durationMs = Math.round(performance.now() - startedAt);
      context.log.info({ ...counts, isDispatchDue, trigger, durationMs }, 'tick');
      if (counts.errors > 0) throw new TickIncompleteError(counts.errors);
    } catch (error) {
      const { message, ...described } = errorForLog(error);
      context.log.error({ ...described, trigger }, message);
      relay.sendNow(context.toCloudEvent(tickFailed(this.#name, this.#settings.source, error)));
      await relay.flush();
      throw error;
    }
  }

  #contextOf(traceparent: string): TickContext {
    // So that one search finds a tick's lines, its events and its call to BeadBoard.
    const traced = this.#log.child({ traceId: traceIdOf(traceparent) });
    const { source: project, eventExtensions: extensions } = this.#settings;
    const toCloudEvent = toCloudEventFrom({
      project,
      function: this.#name,
      traceparent,
      extensions,
    });
    return {
      log: traced,
      relay: this.#relay,
      faults: new BeadFaults(traced),
      toCloudEvent,
      traceparent,
      isStopping,
    };
  }

  #logStart(): void {
    const { database, PAUSED, K_SINK, warnings } = this.#settings;
    this.#log.info(
      { database: database.database, host: database.host, user: database.user, paused: PAUSED },
      K_SINK === undefined
        ? `${this.#name} starts; no K_SINK, so events are kept in the outbox and logged`
        : `${this.#name} starts; events go to ${K_SINK}`,
    );
    for (const warning of warnings) this.#log.warn(warning);
  }
}
