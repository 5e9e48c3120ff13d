import { setTimeout as pause } from 'node:timers/promises';

import type { Logger } from '../runtime/log.ts';
import { aboutOf, type OutboxPort, type UnsentEvent } from './outbox-port.ts';
import type { Delivery, Sink } from './sink.ts';

/**
 * How long the relay waits for one answer. Longer than all retries of the Triggers in knative/
 * together: a broker whose sender hangs up drops the deliveries that are under way, the dead
 * letters among them.
 */
export const SEND_TIMEOUT_MS = 30_000;
/**
 * How long an event waits for the answer to the one before it of the same bead. A broker hands an
 * event to all subscribers at once, so that those that are well have it by then.
 */
const ORDER_MS = 500;
/**
 * Events that are sent side by side while the sink is quick; one that is slow makes room after
 * ORDER_MS.
 */
const LANES = 16;
/** And with those that a slow sink has not answered yet; each holds a connection. */
const MAX_IN_FLIGHT = 100;
/** A sink that is not there is not tried again sooner, however many events are recorded. */
const AWAY_MS = 5_000;

/** The events that are under way to the sink, and what came of those that have ended since. */
export class Deliveries {
  readonly #sink: Sink;
  readonly #log: Logger;
  readonly #onEnd: () => void;
  readonly #underWay = new Map<string, Promise<void>>();
  /** Of each bead, the delivery that the next one waits for. */
  readonly #lastOf = new Map<string, Promise<unknown>>();
  /** Keys of what the sink has taken, and events that it refused: to be removed, to be parked. */
  #taken: string[] = [];
  #refused: { event: UnsentEvent; problem: string }[] = [];
  /** Why the sink takes nothing; `undefined` while it does. */
  #away: string | undefined;
  #isAwayNoted = false;
  #awayUntilMs = Number.NEGATIVE_INFINITY;
  #sentCount = 0;

  /** @param onEnd called when a delivery has ended. */
  constructor(sink: Sink, log: Logger, onEnd: () => void) {
    this.#sink = sink;
    this.#log = log;
    this.#onEnd = onEnd;
  }

  /** How many are under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** The sink takes nothing, and nothing more is sent until {@link tryAgain}. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /** The sink was away a moment ago. */
  get isResting(): boolean {
    return performance.now() < this.#awayUntilMs;
  }

  tryAgain(): void {
    this.#away = undefined;
  }

  /** All is sent: says so when the sink had been away. */
  finish(): void {
    if (this.isAway || this.#awayUntilMs < 0) return;
    this.#awayUntilMs = Number.NEGATIVE_INFINITY;
    this.#log.info({ sent: this.#sentCount }, 'the sink is back, and the outbox is empty');
  }

  /** Whether it is under way, or has ended since the outbox was last told. */
  has(key: string): boolean {
    return (
      this.#underWay.has(key) ||
      this.#taken.includes(key) ||
      this.#refused.some(({ event }) => event.key === key)
    );
  }

  /** @returns when all that is under way now has ended. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
  }

  /**
   * Starts the delivery of each event; waits where the one before it, or too many, are under way.
   */
  async send(events: readonly UnsentEvent[]): Promise<void> {
    const lanes = [...Map.groupBy(events, (event) => aboutOf(event).subject)];
    const work = async () => {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        const [subject, inOrder] = lane;
        for (const event of inOrder) await this.#sendAfterLast(subject, event);
      }
    };
    await Promise.all(Array.from({ length: LANES }, work));
  }

  /** Sends an event that is in no outbox, whatever else is under way. */
  sendAlone(id: string, event: string, onFailure: () => void): void {
    const sending = async () => {
      const { kind } = await this.#sink.deliver(event, SEND_TIMEOUT_MS);
      if (kind !== 'taken') onFailure();
    };
    this.#track(id, sending());
  }

  /** Tells the outbox what came of those that have ended. */
  async tell(outbox: OutboxPort): Promise<void> {
    const taken = [...this.#taken];
    await outbox.remove(taken);
    this.#taken = this.#taken.slice(taken.length);
    for (const refusal of this.#refused) {
      const { event, problem } = refusal;
      const { tries, retryAt } = await outbox.park(event, problem);
      this.#refused = this.#refused.filter((each) => each !== refusal);
      const { id, type, subject } = aboutOf(event);
      this.#log[tries === 1 ? 'warn' : 'debug'](
        { id, type, subject, problem, tries, retryAt },
        'the sink does not take an event; it is parked, and the others continue',
      );
    }
    if (this.#away === undefined || this.#isAwayNoted) return;
    this.#isAwayNoted = true;
    await outbox.noteAway(this.#away);
  }

  async #sendAfterLast(subject: string, event: UnsentEvent): Promise<void> {
    while (this.count >= MAX_IN_FLIGHT) await Promise.race(this.#underWay.values());
    await this.#lastOf.get(subject);
    if (this.isAway) return;
    const answeredOrLate = Promise.race([this.#deliver(event), pause(ORDER_MS)]);
    this.#lastOf.set(subject, answeredOrLate);
    await answeredOrLate;
    if (this.#lastOf.get(subject) === answeredOrLate) this.#lastOf.delete(subject);
  }

  #deliver(event: UnsentEvent): Promise<void> {
    const delivery = (async () => {
      this.#settle(event, await this.#sink.deliver(event.event, SEND_TIMEOUT_MS));
    })();
    this.#track(event.key, delivery);
    return delivery;
  }

  #settle(event: UnsentEvent, delivery: Delivery): void {
    if (delivery.kind === 'taken') {
      this.#taken.push(event.key);
      this.#sentCount += 1;
    } else if (delivery.kind === 'refused') {
      this.#refused.push({ event, problem: delivery.problem });
    } else if (!this.isAway) {
      const { problem } = delivery;
      this.#away = problem;
      this.#isAwayNoted = false;
      const isNews = this.#awayUntilMs < 0;
      this.#awayUntilMs = performance.now() + AWAY_MS;
      this.#sentCount = 0;
      this.#log[isNews ? 'warn' : 'debug']({ problem }, 'events stay in the outbox');
    }
  }

  #track(key: string, delivery: Promise<void>): void {
    const tracked = delivery.finally(() => {
      this.#underWay.delete(key);
      this.#onEnd();
    });
    this.#underWay.set(key, tracked);
  }
}
