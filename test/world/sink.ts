import { CloudEvent, HTTP } from 'cloudevents';

import { HttpStandIn, type Exchange, type Reply } from './http-stand-in.ts';

export type SunkEvent = CloudEvent<unknown>;

/**
 * A stand-in for the broker: it takes every CloudEvent and keeps them in the order they came. One
 * that comes again under the same id is the same event, as for any subscriber that deduplicates.
 */
export class SinkStandIn {
  readonly #http: HttpStandIn;
  /** Each event once, in the order of the first deliveries. */
  readonly events: SunkEvent[] = [];
  /** The id of every delivery that was taken, repeated ones among them. */
  readonly deliveries: string[] = [];
  /** Ids that came with two different contents, which must never be. */
  readonly contradictions: string[] = [];
  /** What it answers: 202 as a broker does. Only what is answered with 2xx is taken. */
  reply: Reply = { status: 202 };
  /** Set to answer some events differently. */
  onDelivery:
    | ((event: SunkEvent, exchange: Exchange) => Reply | undefined | Promise<Reply | undefined>)
    | undefined;
  /** Takes events whatever it answers, as one that dies between the two. */
  takesAnyway = false;
  /** Called for every event it takes for the first time. */
  onEvent: ((event: SunkEvent) => void) | undefined;
  /** Called for every delivery it takes, and waited for before it answers. */
  onTaken: ((event: SunkEvent, exchange: Exchange) => Promise<void>) | undefined;
  readonly #contents = new Map<string, string>();

  private constructor(http: HttpStandIn) {
    this.#http = http;
  }

  static async start(): Promise<SinkStandIn> {
    const http = await HttpStandIn.start((exchange) => sink.#answer(exchange));
    const sink: SinkStandIn = new SinkStandIn(http);
    return sink;
  }

  get url(): string {
    return this.#http.url;
  }

  /** Types without their prefix, in the order they came, of one subject or of all. */
  typesOf(subject?: string): string[] {
    return this.events
      .filter((event) => subject === undefined || event.subject === subject)
      .map(({ type }) => type.replace('io.beads.', ''));
  }

  /** Nobody is there, until it resumes. */
  async pause(): Promise<void> {
    await this.#http.pause();
  }

  async resume(): Promise<void> {
    await this.#http.resume();
  }

  async stop(): Promise<void> {
    await this.#http.stop();
  }

  async #answer(exchange: Exchange): Promise<Reply> {
    const { headers, body } = exchange;
    const event = HTTP.toEvent({ headers, body });
    if (!(event instanceof CloudEvent)) throw new TypeError('the sink takes no batches');
    const reply = (await this.onDelivery?.(event, exchange)) ?? this.reply;
    const taken = typeof reply === 'object' && reply.status >= 200 && reply.status < 300;
    if (taken || this.takesAnyway) {
      this.#take(event);
      await this.onTaken?.(event, exchange);
    }
    return reply;
  }

  #take(event: SunkEvent): void {
    const content = JSON.stringify(event);
    const known = this.#contents.get(event.id);
    this.deliveries.push(event.id);
    if (known === undefined) {
      this.#contents.set(event.id, content);
      this.events.push(event);
      this.onEvent?.(event);
    } else if (known !== content) {
      this.contradictions.push(event.id);
    }
  }
}
