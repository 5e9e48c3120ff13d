import { setTimeout as pause } from 'node:timers/promises';

import type { SunkEvent } from './sink.ts';
import type { Exchange } from './http-stand-in.ts';

/** A subscriber of the broker. */
export interface Trigger {
  url: string;
  filter: (event: SunkEvent) => boolean;
}

/** Of all other headers a broker drops nearly all. */
const PASSED_ON: ReadonlySet<string> = new Set(['content-type', 'traceparent', 'x-request-id']);
/** As a Knative broker repeats: with these answers, and when there is no connection. */
const isRetried = (status: number) => status >= 500 || [404, 408, 409, 429].includes(status);
/** A broker's own default is 10 retries, exponentially from 0.2 s; ours are in knative/. */
const RETRIES = 3;
const BACK_OFF_MS = 200;

/**
 * A stand-in for what a Knative broker does behind its ingress: each Trigger whose filter matches gets
 * the event, again while it fails, and in the end the dead letters get it. A subscriber's answer must
 * have an empty body. (A reply event would go back into the broker; ours send none.)
 */
export class BrokerStandIn {
  readonly triggers: Trigger[] = [];
  /** What no retry helped, or what a subscriber refused. */
  readonly deadLetters: SunkEvent[] = [];

  /** Ends when delivery to all has ended, as a broker answers only then. */
  async deliver(event: SunkEvent, { headers, body }: Exchange): Promise<void> {
    const sent = Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith('ce-') || PASSED_ON.has(name) ? [[name, String(value)]] : [],
      ),
    );
    const matching = this.triggers.filter(({ filter }) => filter(event));
    await Promise.all(
      matching.map(async ({ url }) => {
        if (!(await isTaken(url, sent, body))) this.deadLetters.push(event);
      }),
    );
  }
}

async function isTaken(
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<boolean> {
  for (let tries = 0; tries <= RETRIES; tries += 1) {
    if (tries > 0) await pause(BACK_OFF_MS * 2 ** (tries - 1));
    const status = await post(url, headers, body);
    if (status < 300) return true;
    if (!isRetried(status)) return false;
  }
  return false;
}

/** @returns the status; 502 for an answer with a body that is no event; 503 for none at all. */
async function post(url: string, headers: Record<string, string>, body: string): Promise<number> {
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual' });
    const text = await answer.text();
    return answer.status < 300 && text !== '' ? 502 : answer.status;
  } catch {
    return 503;
  }
}
