import { BeadsDatabase } from '../../shared/beads/beads.ts';
import { toCloudEventFrom } from '../../shared/events/to-cloud-event.ts';
import { policyOf } from '../../shared/rules/policy.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { Settings } from '../../shared/settings/settings.ts';
import { traceOf } from '../../shared/runtime/trace.ts';
import { StateServer } from './server.ts';
import { StateReader } from './state-reader.ts';
import type { WakeUpSink } from './waker.ts';
import { watch } from './watch.ts';

/** The watcher of a process: it looks at the beads, wakes the functions, and serves what it sees. */
export class Watcher {
  readonly #settings: Settings;
  readonly #sink: WakeUpSink | undefined;
  readonly #log: Logger;
  readonly #signal: AbortSignal;

  /**
   * @param sink takes the wake-ups; without one nobody is woken.
   * @param signal ends it.
   */
  constructor(settings: Settings, sink: WakeUpSink | undefined, log: Logger, signal: AbortSignal) {
    this.#settings = settings;
    this.#sink = sink;
    this.#log = log;
    this.#signal = signal;
  }

  /** Ends with the signal. */
  async run(): Promise<void> {
    const { PORT: port, BASE_PATH: basePath, PAUSED: paused } = this.#settings;
    const { AGENT_ASSIGNEE: assignee, source } = this.#settings;
    const log = this.#log;
    const policy = policyOf(this.#settings);
    const newToCloudEvent = () =>
      toCloudEventFrom({
        project: source,
        function: 'watch',
        traceparent: traceOf(undefined),
        extensions: this.#settings.eventExtensions,
      });
    // One for both, so that the page is served from the snapshot that the watcher has read.
    const database = new BeadsDatabase(this.#settings.database, assignee, log);
    const reader = new StateReader({ database, newToCloudEvent, policy, assignee, paused });
    const server = new StateServer({ reader, port, basePath, log });
    server.listen();
    await watch({
      database,
      sink: paused ? undefined : this.#sink,
      newToCloudEvent,
      policy,
      reapAfterMinutes: this.#settings.REAP_AFTER_MINUTES,
      asksForJobs: this.#settings.AGENT_SERVICE_URL !== undefined,
      log,
      onSnapshot: () => server.tell(),
      signal: this.#signal,
    });
    server.close();
    database.close();
  }
}
