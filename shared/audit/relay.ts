import { CloudEvent, HTTP } from 'cloudevents';

import { messageOf } from '../errors.ts';
import { call } from '../http.ts';
import type { Logger } from '../log.ts';
import { dataSchemaOf, typeOf, type AuditEvent } from './event-types.ts';

/**
 * A broker answers when delivery has ended. A tick must not wait for ever for a slow subscriber, and
 * an event that was not taken is logged with all it holds.
 */
const SEND_TIMEOUT_MS = 5_000;
/** All events of a tick together; the longest tick with this stays within the Service's time-out. */
const RELAY_TIMEOUT_MS = 15_000;

export interface RelaySettings {
  /** Where events go; without it they are logged. */
  sink: string | undefined;
  /** `/beads/<project>`; the function is added to it. */
  project: string;
  /** The function whose tick this is. */
  function: string;
  /** Extensions of a SinkBinding. */
  extensions: Readonly<Record<string, string>>;
}

/**
 * Sends the events of one tick to the sink, one after the other in the order they were reported,
 * beside the tick's own work. A sink that fails once is left alone for the rest of the tick.
 */
export class Relay {
  readonly #settings: RelaySettings;
  readonly #traceparent: string;
  readonly #log: Logger;
  #sending: Promise<void> = Promise.resolve();
  #failed = false;
  /** Time spent on the sink so far. */
  #spentMs = 0;

  constructor(settings: RelaySettings, traceparent: string, log: Logger) {
    this.#settings = settings;
    this.#traceparent = traceparent;
    this.#log = log;
  }

  /** Takes events that are committed; never throws, never waits. */
  report(events: readonly AuditEvent[]): void {
    for (const event of events) {
      this.#sending = this.#sending.then(() => this.#send(event));
    }
  }

  /** Waits until everything reported is sent or logged. */
  async settle(): Promise<void> {
    await this.#sending;
  }

  async #send(event: AuditEvent): Promise<void> {
    const { sink } = this.#settings;
    if (sink === undefined) {
      this.#log.info({ event: this.#whole(event) }, 'event (no K_SINK, so it is only logged)');
      return;
    }
    if (!this.#failed) {
      const problem = await this.#deliver(sink, event);
      if (problem === undefined) return;
      this.#failed = true;
      this.#log.warn({ problem }, 'the sink did not take an event');
    }
    this.#log.warn({ event: this.#whole(event) }, 'event not delivered');
  }

  /** @returns what went wrong, or `undefined` when the sink took the event. */
  async #deliver(sink: string, event: AuditEvent): Promise<string | undefined> {
    const leftMs = RELAY_TIMEOUT_MS - this.#spentMs;
    if (leftMs <= 0) return `it took ${RELAY_TIMEOUT_MS} ms for the events before`;
    const startedAt = performance.now();
    try {
      const { headers, body } = HTTP.binary(this.#toCloudEvent(event));
      const { status } = await call({
        method: 'POST',
        url: sink,
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name, String(value)]),
        ),
        body: String(body),
        timeoutMs: Math.min(SEND_TIMEOUT_MS, leftMs),
      });
      return status >= 200 && status < 300 ? undefined : `HTTP ${status}`;
    } catch (error) {
      return messageOf(error);
    } finally {
      this.#spentMs += performance.now() - startedAt;
    }
  }

  /** For the log; what cannot be made a CloudEvent is logged as it is. */
  #whole(event: AuditEvent): CloudEvent<unknown> | AuditEvent {
    try {
      return this.#toCloudEvent(event);
    } catch {
      return event;
    }
  }

  /** A dispatch tick may settle what is the reaper's; the event says who stands behind it. */
  #sourceOf(name: AuditEvent['name']): string {
    const [owner] = name.split('.');
    return `${this.#settings.project}/${owner === 'tick' ? this.#settings.function : owner}`;
  }

  #toCloudEvent({ id, name, subject, at, data }: AuditEvent): CloudEvent<unknown> {
    return new CloudEvent<unknown>({
      ...this.#settings.extensions,
      specversion: '1.0',
      id,
      type: typeOf(name),
      source: this.#sourceOf(name),
      subject,
      time: at.toISOString(),
      datacontenttype: 'application/json',
      dataschema: dataSchemaOf(name),
      partitionkey: subject,
      traceparent: this.#traceparent,
      data,
    });
  }
}
