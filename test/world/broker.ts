import { setTimeout as pause } from 'node:timers/promises';

import type { SunkEvent } from './sink.ts';
import type { Exchange } from './http-stand-in.ts';

/** A subscriber of the broker. */
export interface Trigger {
  url: string;
  filter: (event: SunkEvent) => boolean;
  /** How it is delivered to; by default as knative/base/1-broker.yaml says. */
  delivery?: DeliverySpec;
}

export interface DeliverySpec {
  /** Further tries, with waits that double. */
  retry: number;
  backoffMs: number;
  /** Of each try; without it one that hangs is waited for without end, as a broker does. */
  timeoutMs?: number;
}

/** test/manifests.test.ts holds it to the manifest. */
export const DELIVERY: DeliverySpec = { retry: 2, backoffMs: 200, timeoutMs: 3_000 };

/** Of all other headers a broker drops nearly all. */
const PASSED_ON: ReadonlySet<string> = new Set(['content-type', 'traceparent', 'x-request-id']);
/** As a Knative broker repeats: with these answers, and when there is no connection. */
const isRetried = (status: number) => status >= 500 || [404, 408, 409, 429].includes(status);

/**
 * A stand-in for what the stock Knative broker does behind its ingress, as measured on a real one:
 * each Trigger whose filter matches gets the event side by side, again while it fails, and in the
 * end the dead letters get it. The sender is answered only when all of that has ended; when it
 * hangs up before, what is under way is dropped and reaches no dead letters either. A subscriber's
 * answer must have an empty body. (A reply event would go back into the broker; ours send none.)
 */
export class BrokerStandIn {
  readonly triggers: Trigger[] = [];
  /** What no retry helped, or what a subscriber refused. */
  readonly deadLetters: SunkEvent[] = [];
  /** How many deliveries were dropped because their sender hung up. */
  dropped = 0;

  /** Ends when delivery to all has ended. */
  async deliver(event: SunkEvent, { headers, body, signal }: Exchange): Promise<void> {
    const sent = Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith('ce-') || PASSED_ON.has(name) ? [[name, String(value)]] : [],
      ),
    );
    const matching = this.triggers.filter(({ filter }) => filter(event));
    await Promise.all(
      matching.map(async (trigger) => {
        const isTaken = await deliverTo(trigger, sent, body, signal);
        if (isTaken) return;
        if (signal.aborted) this.dropped += 1;
        else this.deadLetters.push(event);
      }),
    );
  }
}

async function deliverTo(
  { url, delivery: { retry, backoffMs, timeoutMs } = DELIVERY }: Trigger,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (let tries = 0; tries <= retry && !signal.aborted; tries += 1) {
    if (tries > 0) await pause(backoffMs * 2 ** (tries - 1));
    const limit = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
    const status = await post(url, headers, body, AbortSignal.any([signal, ...limit]));
    if (status < 300) return true;
    if (!isRetried(status)) return false;
  }
  return false;
}

/** @returns the status; 502 for an answer with a body that is no event; 503 for none at all. */
async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<number> {
  try {
    const request = { method: 'POST', headers, body, signal, redirect: 'manual' } as const;
    const answer = await fetch(url, request);
    const text = await answer.text();
    return answer.status < 300 && text !== '' ? 502 : answer.status;
  } catch {
    return 503;
  }
}
