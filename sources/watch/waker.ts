import type { ToCloudEvent } from '../../shared/events/to-cloud-event.ts';
import type { Sink } from '../../shared/events/sink.ts';
import { wakeUpEvent, type WakeUpName } from '../../shared/events/wake-up.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { ReconnectDelay } from './reconnect-delay.ts';
import type { Asked, Due } from '../../shared/rules/wake-plan.ts';

/** While ticks fail each wake-up starts a pod for nothing; the cause is found again within this. */
const LONGEST_DELAY_MS = 300_000;
/** A broker answers when the function has answered; the longest tick takes this. */
const SEND_TIMEOUT_MS = 300_000;

/** Takes wake-ups, and answers when the tick has ended: a broker, or the functions themselves. */
export type WakeUpSink = Pick<Sink, 'deliver'>;

export interface WakerParts {
  sink: WakeUpSink;
  newToCloudEvent: () => ToCloudEvent;
  log: Logger;
}

/**
 * Wakes one function. One wake-up at a time is under way: a broker answers when the tick has ended,
 * and only then does it make sense to look whether there is more to do.
 */
export class Waker {
  readonly name: WakeUpName;
  readonly #parts: WakerParts;
  #asked: Asked | undefined;
  #isUnderWay = false;
  readonly #delay = new ReconnectDelay(LONGEST_DELAY_MS);
  /** When to look next, whatever has changed (`performance.now()`). */
  #lookAt = Number.POSITIVE_INFINITY;

  constructor(name: WakeUpName, parts: WakerParts) {
    this.name = name;
    this.#parts = parts;
  }

  /** Whether a snapshot is to be read again, because a wake-up has ended or must be repeated. */
  wants(nowMs: number): boolean {
    return nowMs >= this.#lookAt;
  }

  /** @param plan says what is due, given what was asked for last. */
  wake(plan: (asked: Asked | undefined) => Due | undefined): void {
    if (this.#isUnderWay) return;
    this.#lookAt = Number.POSITIVE_INFINITY;
    const due = plan(this.#asked);
    if (due !== undefined) void this.#send(due);
  }

  async #send({ reason, beads, asked }: Due): Promise<void> {
    const { sink, newToCloudEvent, log } = this.#parts;
    this.#isUnderWay = true;
    const event = newToCloudEvent()(wakeUpEvent(this.name, { reason, beads }));
    const delivery = await sink.deliver(event, SEND_TIMEOUT_MS);
    this.#isUnderWay = false;
    if (delivery.kind === 'taken') {
      log.info({ wakeUp: this.name, reason, beads }, 'woken');
      this.#asked = asked;
      this.#delay.reset();
      this.#lookAt = performance.now();
    } else {
      const { problem } = delivery;
      const againInMs = this.#delay.next();
      log.warn({ wakeUp: this.name, problem, againInMs }, 'the sink took no wake-up');
      this.#lookAt = performance.now() + againInMs;
    }
  }
}
