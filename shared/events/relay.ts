import { setTimeout as pause } from 'node:timers/promises';

import * as z from 'zod';

import { describeError } from '../runtime/errors.ts';
import { parseJson } from '../runtime/json.ts';
import type { Logger } from '../runtime/log.ts';
import type { Delivery, Sink } from './sink.ts';

/**
 * The relay takes events from the outbox to the sink. There is one per process, and it works beside the ticks:
 * a broker answers only when every subscriber has ended its retries, so that one that fails would otherwise
 * delay each tick and each event behind it (docs/decisions/0016).
 */

/**
 * The relay's patience with one event. Longer than all retries of the Triggers in knative/ together: a broker
 * whose sender hangs up drops the deliveries that are under way, the dead letters among them.
 */
const SEND_TIMEOUT_MS = 30_000;
/**
 * How long an event waits for the answer to the one before it of the same bead. A broker hands an event to all
 * subscribers at once, so that those that are well have it by then.
 */
const ORDER_MS = 500;
/** How long a tick that is done otherwise waits for its events to be taken. */
const FLUSH_MS = 1_000;
/**
 * How long the relay waits for others before it reads the outbox again: each read costs the database as much
 * as a small transition, whether it finds one event or many.
 */
const GATHER_MS = 100;
/** Events read at once. */
const BATCH = 100;
/** Events that are sent side by side while the sink is quick; one that is slow makes room after ORDER_MS. */
const LANES = 16;
/** And with those that a slow sink has not answered yet; each holds a connection. */
const MAX_IN_FLIGHT = 100;
/** A sink that is not there is not tried again sooner, however many events are recorded. */
const AWAY_MS = 5_000;
/**
 * A relay that leaves events lying for so long may not run any more, although the server still keeps its
 * lock. If it does after all, and is only late, some are sent twice.
 */
const STALE_LOCK_MS = 600_000;
/** Ids of failed ticks that were sent; a PingSource asks six times within 3.5 s. */
const REMEMBERED = 100;

/** One event that no sink has taken yet. */
export interface UnsentEvent {
  /** Names it to the outbox. */
  key: string;
  /** The CloudEvent, as JSON. */
  event: string;
  /** How long it has been there, by the server's clock. */
  ageMs: number;
  /** How often the sink has not taken it. */
  tries: number;
  /** By the server's clock. */
  readAt: Date;
}

/** What the relay needs of an outbox; that of the database is shared/beads/rows/outbox.ts. */
export interface OutboxPort {
  /** @returns whether no other relay sends at this time. */
  take(): Promise<boolean>;
  giveBack(): Promise<void>;
  /** The oldest first; then parked ones that are due. */
  read(limit: number): Promise<UnsentEvent[]>;
  remove(keys: readonly string[]): Promise<void>;
  /** Puts an event aside. @returns how often the sink has not taken it, and when it is tried again. */
  park(unsent: UnsentEvent, problem: string): Promise<{ tries: number; retryAt: Date }>;
  close(): void;
}

export interface RelayParts {
  /** `undefined` without K_SINK: events are kept in the outbox, and logged. */
  sink: Sink | undefined;
  /** Opens the outbox on a connection of its own. */
  openOutbox: () => Promise<OutboxPort>;
  log: Logger;
}

/** Sends what is in the outbox, the oldest first, over all ticks of a process. */
export class Relay {
  readonly #parts: RelayParts;
  /** `undefined` while there is nothing to send. */
  #running: Promise<void> | undefined;
  #isWanted = false;
  readonly #deliveries = new Map<string, Promise<void>>();
  /** Of each bead, the delivery that the next one waits for. */
  readonly #lastOf = new Map<string, Promise<unknown>>();
  /** Keys of what the sink has taken, and events that it refused: to be removed, to be parked. */
  #taken: string[] = [];
  #refused: { event: UnsentEvent; problem: string }[] = [];
  /** Resolved when a delivery has ended or something was recorded. */
  #news = Promise.withResolvers<void>();
  /** Resolved when a tick waits. */
  #hurry = Promise.withResolvers<void>();
  #isAway = false;
  #awayUntilMs = Number.NEGATIVE_INFINITY;
  #sentCount = 0;
  readonly #sentNow = new Set<string>();

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /**
   * Tells that something is in the outbox; never throws, never waits.
   * @param events what was just committed, as JSON; logged when there is no sink.
   */
  wake(events: readonly string[] = []): void {
    const { sink } = this.#parts;
    if (sink === undefined) {
      for (const event of events) this.#logWhole(event, 'no K_SINK: the event is kept and logged');
      return;
    }
    this.#isWanted = true;
    this.#tellNews();
    // Whoever has just recorded something need not ask a sink that was away a moment ago; a new tick does.
    if (events.length > 0 && performance.now() < this.#awayUntilMs) return;
    this.#running ??= this.#run(sink).finally(() => {
      this.#running = undefined;
    });
  }

  /** Sends one event that is in no outbox, since there may be no database; logs it if that fails. */
  sendNow(event: string): void {
    const { sink } = this.#parts;
    const id = idOf(event);
    if (this.#sentNow.has(id)) return;
    if (this.#sentNow.size >= REMEMBERED) this.#sentNow.clear();
    this.#sentNow.add(id);
    const sending = (async () => {
      const delivery = await sink?.deliver(event, SEND_TIMEOUT_MS);
      if (delivery?.kind === 'taken') return;
      this.#sentNow.delete(id);
      this.#logWhole(event, 'the event is not sent, only logged');
    })();
    this.#track(id, sending);
  }

  /** Waits until all is sent, for a second at most; what is left is sent beside what comes next. */
  async flush(): Promise<void> {
    await this.#waitFor(FLUSH_MS);
  }

  /** Waits until nothing is under way, as long as one delivery may last: before the process may end. */
  async finish(): Promise<void> {
    await this.#waitFor(SEND_TIMEOUT_MS);
  }

  async #waitFor(timeoutMs: number): Promise<void> {
    this.#hurry.resolve();
    const done = new AbortController();
    const patience = pause(timeoutMs, undefined, { signal: done.signal }).catch(() => undefined);
    const isIdle = async () => {
      while (this.#running !== undefined || this.#deliveries.size > 0) {
        await Promise.allSettled([this.#running, ...this.#deliveries.values()]);
      }
    };
    await Promise.race([isIdle(), patience]);
    done.abort();
  }

  async #run(sink: Sink): Promise<void> {
    const { log, openOutbox } = this.#parts;
    let outbox: OutboxPort | undefined;
    try {
      await this.#gather();
      outbox = await openOutbox();
      await this.#drain(outbox, sink);
    } catch (error) {
      const { code, message } = describeError(error);
      log.warn({ code, problem: message }, 'the outbox cannot be used now');
    } finally {
      outbox?.close();
    }
  }

  async #drain(outbox: OutboxPort, sink: Sink): Promise<void> {
    const isAlone = await outbox.take();
    this.#isAway = false;
    for (;;) {
      this.#isWanted = false;
      this.#news = Promise.withResolvers<void>();
      await this.#record(outbox);
      const read = await outbox.read(BATCH + this.#deliveries.size);
      const unsent = read.filter(({ key }) => !this.#isSent(key));
      const [oldest] = unsent;
      if (!isAlone && oldest !== undefined && oldest.ageMs < STALE_LOCK_MS) {
        this.#parts.log.info({ oldestMs: oldest.ageMs }, 'another relay sends the events');
        return;
      }
      if (!this.#isAway) await this.#send(unsent, sink);
      const isQuiet = unsent.length === 0 && !this.#isWanted;
      if (this.#deliveries.size === 0 && (this.#isAway || isQuiet)) {
        await this.#record(outbox);
        break;
      }
      // A full page has more behind it.
      if (unsent.length >= BATCH) continue;
      await this.#news.promise;
      await this.#gather();
    }
    if (!this.#isAway && this.#awayUntilMs > 0) {
      this.#awayUntilMs = Number.NEGATIVE_INFINITY;
      this.#parts.log.info({ sent: this.#sentCount }, 'the sink is back, and the outbox is empty');
    }
    if (isAlone) await outbox.giveBack();
  }

  /** Whether it is under way, or has ended since the outbox was last told. */
  #isSent(key: string): boolean {
    return (
      this.#deliveries.has(key) ||
      this.#taken.includes(key) ||
      this.#refused.some(({ event }) => event.key === key)
    );
  }

  async #record(outbox: OutboxPort): Promise<void> {
    const taken = [...this.#taken];
    await outbox.remove(taken);
    this.#taken = this.#taken.slice(taken.length);
    for (const refusal of this.#refused) {
      const { event, problem } = refusal;
      const { tries, retryAt } = await outbox.park(event, problem);
      this.#refused = this.#refused.filter((each) => each !== refusal);
      const { id, type, subject } = aboutOf(event);
      this.#parts.log[tries === 1 ? 'warn' : 'debug'](
        { id, type, subject, problem, tries, retryAt },
        'the sink does not take an event; it is parked, and the others continue',
      );
    }
  }

  /** Starts the delivery of each event; waits where the one before it, or too many, are under way. */
  async #send(events: readonly UnsentEvent[], sink: Sink): Promise<void> {
    const lanes = [...Map.groupBy(events, (event) => aboutOf(event).subject).values()];
    const work = async () => {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        for (const event of lane) await this.#sendInOrder(event, sink);
      }
    };
    await Promise.all(Array.from({ length: LANES }, work));
  }

  async #sendInOrder(event: UnsentEvent, sink: Sink): Promise<void> {
    const { subject } = aboutOf(event);
    while (this.#deliveries.size >= MAX_IN_FLIGHT) await Promise.race(this.#deliveries.values());
    await this.#lastOf.get(subject);
    if (this.#isAway) return;
    const answeredOrLate = Promise.race([this.#deliver(event, sink), pause(ORDER_MS)]);
    this.#lastOf.set(subject, answeredOrLate);
    await answeredOrLate;
    if (this.#lastOf.get(subject) === answeredOrLate) this.#lastOf.delete(subject);
  }

  #deliver(event: UnsentEvent, sink: Sink): Promise<void> {
    const delivery = (async () => {
      this.#settle(event, await sink.deliver(event.event, SEND_TIMEOUT_MS));
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
    } else if (!this.#isAway) {
      this.#isAway = true;
      const { problem } = delivery;
      const isNews = this.#awayUntilMs < 0;
      this.#awayUntilMs = performance.now() + AWAY_MS;
      this.#sentCount = 0;
      this.#parts.log[isNews ? 'warn' : 'debug']({ problem }, 'events stay in the outbox');
    }
  }

  #track(key: string, delivery: Promise<void>): void {
    const tracked = delivery.finally(() => {
      this.#deliveries.delete(key);
      this.#tellNews();
    });
    this.#deliveries.set(key, tracked);
  }

  #tellNews(): void {
    this.#news.resolve();
  }

  async #gather(): Promise<void> {
    const hurry = this.#hurry.promise;
    await Promise.race([pause(GATHER_MS), hurry]);
    this.#hurry = Promise.withResolvers<void>();
  }

  #logWhole(event: string, message: string): void {
    this.#parts.log.info({ event: parseJson(event) ?? event }, message);
  }
}

const about = z.object({ id: z.string(), type: z.string(), subject: z.string() });

/** What is no event at all is alone in its lane, where the sink will refuse it. */
function aboutOf({ key, event }: Pick<UnsentEvent, 'key' | 'event'>) {
  const parsed = about.safeParse(parseJson(event));
  return parsed.success ? parsed.data : { id: key, type: '', subject: key };
}

function idOf(event: string): string {
  return aboutOf({ key: event, event }).id;
}
