import { CloudEvent, HTTP } from 'cloudevents';

import { HttpStandIn, type Exchange, type Reply } from './http-stand-in.ts';

export type SunkEvent = CloudEvent<unknown>;

/** A stand-in for the broker: it takes every CloudEvent and keeps them in the order they came. */
export class Sink {
  readonly #http: HttpStandIn;
  readonly events: SunkEvent[] = [];
  /** What it answers: 202 as a broker does. */
  reply: Reply = { status: 202 };
  /** Called for every event it takes. */
  onEvent: ((event: SunkEvent) => void) | undefined;

  private constructor(http: HttpStandIn) {
    this.#http = http;
  }

  static async start(): Promise<Sink> {
    const http = await HttpStandIn.start((exchange) => sink.#take(exchange));
    const sink: Sink = new Sink(http);
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

  async stop(): Promise<void> {
    await this.#http.stop();
  }

  #take({ headers, body }: Exchange): Reply {
    const event = HTTP.toEvent({ headers, body });
    if (!(event instanceof CloudEvent)) throw new TypeError('the sink takes no batches');
    const taken = typeof this.reply === 'object' && this.reply.status < 300;
    if (taken) {
      this.events.push(event);
      this.onEvent?.(event);
    }
    return this.reply;
  }
}
