import * as z from 'zod';

import { HttpStandIn, type Exchange, type Reply } from './http-stand-in.ts';

const message = z.object({
  topic: z.string().min(1),
  title: z.string(),
  message: z.string(),
  priority: z.int().min(1).max(5),
});

/** What somebody who has subscribed to a topic would see. */
export type NtfyMessage = z.output<typeof message>;

/** A stand-in for an ntfy server: it takes messages that are published as JSON to its root. */
export class NtfyStandIn {
  readonly #http: HttpStandIn;
  readonly messages: NtfyMessage[] = [];
  /** Called for each message. */
  onMessage: ((message: NtfyMessage) => void) | undefined;

  private constructor(http: HttpStandIn) {
    this.#http = http;
  }

  static async start(): Promise<NtfyStandIn> {
    const http = await HttpStandIn.start((exchange) => ntfy.#answer(exchange));
    const ntfy: NtfyStandIn = new NtfyStandIn(http);
    return ntfy;
  }

  /** The address of a topic, as a person copies it. */
  topic(name: string): string {
    return `${this.#http.url}/${name}`;
  }

  async stop(): Promise<void> {
    await this.#http.stop();
  }

  #answer({ method, path, body }: Exchange): Reply {
    if (method !== 'POST' || path !== '/') return { status: 404, json: { error: 'not found' } };
    const parsed = message.safeParse(JSON.parse(body));
    if (!parsed.success) return { status: 400, json: { error: 'invalid request' } };
    this.messages.push(parsed.data);
    this.onMessage?.(parsed.data);
    return { status: 200, json: { id: String(this.messages.length) } };
  }
}
