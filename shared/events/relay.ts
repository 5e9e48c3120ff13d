import { setTimeout as pause } from 'node:timers/promises';

import { describeError } from '../runtime/errors.ts';
import { parseJson } from '../runtime/json.ts';
import type { Logger } from '../runtime/log.ts';
import { Deliveries, SEND_TIMEOUT_MS } from './deliveries.ts';
import { aboutOf, type OutboxPort } from './outbox-port.ts';
import type { Sink } from './sink.ts';

/**
 * The relay takes events from the outbox to the sink. There is one per process, and it works beside
 * the ticks: a broker answers only when every subscriber has ended its retries, so that one that
 * fails would otherwise delay each tick and each event behind it (docs/decisions/0016).
 */

/** How long a tick that is done otherwise waits for its events to be taken. */
const FLUSH_MS = 1_000;
/**
 * How long the relay waits for others before it reads the outbox again: each read costs the
 * database as much as a small transition, whether it finds one event or many.
 */
const GATHER_MS = 100;
/** Events read at once. */
const BATCH = 100;
/**
 * A relay that leaves events lying for so long may not run any more, although the server still
 * keeps its lock. If it does after all, and is only late, some are sent twice.
 */
const STALE_LOCK_MS = 600_000;
/** Ids of failed ticks that were sent; a PingSource asks six times within 3.5 s. */
const REMEMBERED = 100;

export interface RelayParts {
  /** `undefined` without K_SINK: events are kept in the outbox, and logged. */
  sink: Sink | undefined;
  /** Opens the outbox on a connection of its own. */
  openOutbox: () => Promise<OutboxPort>;
  log: Logger;
}

/** Sends what is in the outbox, the oldest first, over all ticks of a process. */
export class Relay {
  readonly #log: Logger;
  readonly #openOutbox: () => Promise<OutboxPort>;
  /** `undefined` without a sink. */
  readonly #deliveries: Deliveries | undefined;
  /** `undefined` while there is nothing to send. */
  #running: Promise<void> | undefined;
  #isWanted = false;
  /** Resolved when a delivery has ended or something was recorded. */
  #news = Promise.withResolvers<void>();
  /** Resolved when a tick begins to wait. */
  #hurry = Promise.withResolvers<void>();
  /** How many wait: while one does, the relay waits for nobody. */
  #waiting = 0;
  readonly #sentNow = new Set<string>();

  constructor({ sink, openOutbox, log }: RelayParts) {
    this.#log = log;
    this.#openOutbox = openOutbox;
    this.#deliveries = sink && new Deliveries(sink, log, () => this.#news.resolve());
  }

  /**
   * Tells that something is in the outbox; never throws, never waits.
   * @param events what was just committed, as JSON; logged when there is no sink.
   */
  wake(events: readonly string[] = []): void {
    const deliveries = this.#deliveries;
    if (deliveries === undefined) {
      for (const event of events) this.#logWhole(event, 'no K_SINK: the event is kept and logged');
      return;
    }
    this.#isWanted = true;
    this.#news.resolve();
    // Whoever has just recorded something need not ask a sink that was away a moment ago; a new
    // tick does.
    if (events.length > 0 && deliveries.isResting) return;
    this.#running ??= this.#run(deliveries).finally(() => {
      this.#running = undefined;
    });
  }

  /**
   * Sends one event that is in no outbox, since there may be no database; logs it if that fails.
   */
  sendNow(event: string): void {
    const { id } = aboutOf({ key: event, event });
    if (this.#sentNow.has(id)) return;
    const onFailure = () => {
      this.#sentNow.delete(id);
      this.#logWhole(event, 'the event is not sent, only logged');
    };
    if (this.#sentNow.size >= REMEMBERED) this.#sentNow.clear();
    this.#sentNow.add(id);
    if (this.#deliveries === undefined) onFailure();
    else this.#deliveries.sendAlone(id, event, onFailure);
  }

  /** Waits until all is sent, for a second at most; what is left is sent beside what comes next. */
  async flush(): Promise<void> {
    await this.#waitFor(FLUSH_MS);
  }

  /**
   * Waits until nothing is under way, as long as one delivery may last: before the process may end.
   */
  async finish(): Promise<void> {
    await this.#waitFor(SEND_TIMEOUT_MS);
  }

  async #waitFor(timeoutMs: number): Promise<void> {
    this.#waiting += 1;
    this.#hurry.resolve();
    const done = new AbortController();
    const patience = pause(timeoutMs, undefined, { signal: done.signal }).catch(() => undefined);
    const isIdle = async () => {
      while (this.#running !== undefined || (this.#deliveries?.count ?? 0) > 0) {
        await Promise.allSettled([this.#running, this.#deliveries?.ended()]);
      }
    };
    await Promise.race([isIdle(), patience]);
    this.#waiting -= 1;
    done.abort();
  }

  async #run(deliveries: Deliveries): Promise<void> {
    let outbox: OutboxPort | undefined;
    try {
      await this.#gather();
      outbox = await this.#openOutbox();
      await this.#drain(outbox, deliveries);
    } catch (error) {
      const { code, message } = describeError(error);
      this.#log.warn({ code, problem: message }, 'the outbox cannot be used now');
    } finally {
      outbox?.close();
    }
  }

  async #drain(outbox: OutboxPort, deliveries: Deliveries): Promise<void> {
    const isAlone = await outbox.take();
    deliveries.tryAgain();
    for (;;) {
      this.#isWanted = false;
      this.#news = Promise.withResolvers<void>();
      await deliveries.tell(outbox);
      const read = await outbox.read(BATCH + deliveries.count);
      const unsent = read.filter(({ key }) => !deliveries.has(key));
      const [oldest] = unsent;
      if (!isAlone && oldest !== undefined && oldest.ageMs < STALE_LOCK_MS) {
        this.#log.info({ oldestMs: oldest.ageMs }, 'another relay sends the events');
        return;
      }
      if (!deliveries.isAway) await deliveries.send(unsent);
      const isQuiet = unsent.length === 0 && !this.#isWanted;
      if (deliveries.count === 0 && (deliveries.isAway || isQuiet)) {
        await deliveries.tell(outbox);
        break;
      }
      // A full page has more behind it.
      if (unsent.length >= BATCH) continue;
      await this.#news.promise;
      await this.#gather();
    }
    deliveries.finish();
    if (isAlone) await outbox.giveBack();
  }

  async #gather(): Promise<void> {
    if (this.#waiting > 0) return;
    await Promise.race([pause(GATHER_MS), this.#hurry.promise]);
    this.#hurry = Promise.withResolvers<void>();
  }

  #logWhole(event: string, message: string): void {
    this.#log.info({ event: parseJson(event) ?? event }, message);
  }
}
