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

  constructor(settings: RelaySettings, traceparent: string, log: Logger) {
    this.#settings = settings;
    this.#traceparent = traceparent;
    this.#log = log;
  }

  /** Takes events that are committed; never throws, never waits. */
  report(events: readonly AuditEvent[]): void {
    for (const event of events) {
      const cloudEvent = this.#toCloudEvent(event);
      this.#sending = this.#sending.then(() => this.#send(cloudEvent));
    }
  }

  /** Waits until everything reported is sent or logged. */
  async settle(): Promise<void> {
    await this.#sending;
  }

  async #send(event: CloudEvent<unknown>): Promise<void> {
    const { sink } = this.#settings;
    if (sink === undefined) {
      this.#log.info({ event }, 'event (no K_SINK, so it is only logged)');
      return;
    }
    if (!this.#failed) {
      const problem = await deliver(sink, event);
      if (problem === undefined) return;
      this.#failed = true;
      this.#log.warn({ sink, problem }, 'the sink did not take an event');
    }
    this.#log.warn({ event }, 'event not delivered');
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

/** @returns what went wrong, or `undefined` when the sink took the event. */
async function deliver(sink: string, event: CloudEvent<unknown>): Promise<string | undefined> {
  const { headers, body } = HTTP.binary(event);
  try {
    const { status } = await call({
      method: 'POST',
      url: sink,
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, String(value)]),
      ),
      body: String(body),
      timeoutMs: SEND_TIMEOUT_MS,
    });
    return status >= 200 && status < 300 ? undefined : `HTTP ${status}`;
  } catch (error) {
    return messageOf(error);
  }
}
