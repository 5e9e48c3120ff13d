import { setTimeout as pause } from 'node:timers/promises';

import * as z from 'zod';

import { DatabaseUnreachableError, describeError } from '../errors.ts';
import { LOCK_WAIT_SECONDS, type Outbox, type UnsentEvent } from '../beads/outbox.ts';
import { parseJson } from '../json.ts';
import type { Logger } from '../log.ts';
import type { Sink } from './sink.ts';

/**
 * The relay takes events from the outbox to the sink: the oldest first, those of one bead one after the
 * other, those of different beads side by side. It works beside the tick, so that a sink that is slow
 * or gone delays no dispatch, and what it does not get done is left to the next tick of either
 * function.
 */

/** Long enough for a broker whose subscriber must start first; a sink that hangs costs this once a tick. */
const SEND_TIMEOUT_MS = 12_000;
/** How long a tick that is done otherwise goes on sending. */
const SETTLE_TIMEOUT_MS = 15_000;
/** After this it does not even wait for what is under way, such as a database that stalls. With it the
 * longest tick stays within the Service's time-out. */
const ABANDON_TIMEOUT_MS = 20_000;
/**
 * How long an event waits for others, unless the tick has ended: each journey to the outbox costs the
 * database as much as a small transition, whether it finds one event or many.
 */
const GATHER_MS = 100;
/** Events read at once, and so the most that are sent a second time after a crash. */
const BATCH = 100;
/** Half of what another relay waits for this one to end. */
const QUICK_MS = LOCK_WAIT_SECONDS * 500;
/** Beads whose events are sent at the same time; a broker takes them in parallel. */
const LANES = 8;
/** One bead's event may be at fault; when so many are refused in a row, the sink is. */
const REFUSALS_THAT_END_IT = 20;
/**
 * A relay that leaves events lying for so long may not run any more, although the server still keeps its
 * lock. If it does after all, and is only late, some are sent twice.
 */
const STALE_LOCK_MS = 600_000;

type OutboxOfRelay = Pick<Outbox, 'take' | 'giveBack' | 'read' | 'remove' | 'close'>;

export interface RelayParts {
  /** `undefined` without K_SINK: events are kept in the outbox, and logged. */
  sink: Sink | undefined;
  /** Opens the outbox on a connection of its own. */
  openOutbox: () => Promise<OutboxOfRelay>;
  log: Logger;
}

/** The relay of one tick. */
export class Relay {
  readonly #parts: RelayParts;
  #outbox: OutboxOfRelay | undefined;
  /** `undefined` as long as there is nothing to send. */
  #working: Promise<void> | undefined;
  #isWanted = false;
  /** The tick has ended: nothing more will come. */
  readonly #settling = new AbortController();
  /** This tick sends no more. */
  #hasEnded = false;
  /** Since something was taken. */
  #refusals = 0;
  /** Nothing is sent after this (`performance.now()`). */
  #deadline = Number.POSITIVE_INFINITY;
  /** Keys of events, and the beads they belong to, that are left to a later tick. */
  readonly #left = { keys: new Set<string>(), beads: new Set<string>() };

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /**
   * Tells that something is in the outbox; never throws, never waits.
   * @param events what was just committed, as JSON; logged when there is no sink.
   */
  report(events: readonly string[] = []): void {
    const { sink } = this.#parts;
    if (sink === undefined) {
      for (const event of events)
        this.#log(event, 'no K_SINK: the event is kept and logged', 'info');
      return;
    }
    this.#isWanted = true;
    const before = this.#working ?? Promise.resolve();
    this.#working = before.then(() => this.#gather()).then(() => this.#work(sink));
  }

  /** Sends one event that is in no outbox, since there may be no database; logs it if that fails. */
  async announce(event: string): Promise<void> {
    const { sink } = this.#parts;
    const delivery = this.#hasEnded ? undefined : await sink?.deliver(event, SEND_TIMEOUT_MS);
    if (delivery?.kind !== 'taken') this.#log(event, 'the event is not sent, only logged');
  }

  /** Waits, for a while, until all is sent, and lets the connection go. */
  async settle(): Promise<void> {
    if (this.#working === undefined) return;
    this.#settling.abort();
    this.#deadline = performance.now() + SETTLE_TIMEOUT_MS;
    const done = new AbortController();
    const patience = pause(ABANDON_TIMEOUT_MS, undefined, { signal: done.signal });
    await Promise.race([this.#working, patience.catch(() => undefined)]);
    done.abort();
    this.#close();
  }

  async #gather(): Promise<void> {
    if (!this.#isWanted || this.#hasEnded) return;
    const { signal } = this.#settling;
    await pause(GATHER_MS, undefined, { signal }).catch(() => undefined);
  }

  async #work(sink: Sink): Promise<void> {
    if (!this.#isWanted || this.#hasEnded) return;
    this.#isWanted = false;
    try {
      this.#outbox ??= await this.#parts.openOutbox();
      await this.#drain(this.#outbox, sink);
    } catch (error) {
      this.#close();
      // The database may be back when the tick reports the next time.
      const { code, message } = describeError(error);
      this.#parts.log.warn({ code, problem: message }, 'the outbox cannot be used now');
      if (!(error instanceof DatabaseUnreachableError)) this.#hasEnded = true;
    }
  }

  async #drain(outbox: OutboxOfRelay, sink: Sink): Promise<void> {
    const isAlone = await outbox.take();
    while (performance.now() < this.#deadline) {
      const readAt = performance.now();
      const limit = BATCH + this.#left.keys.size;
      const read = await outbox.read(limit);
      const unsent = read.filter(({ key }) => !this.#left.keys.has(key)).map(addressed);
      const [oldest] = unsent;
      if (oldest === undefined || this.#hasEnded) break;
      if (!isAlone && oldest.ageMs < STALE_LOCK_MS) {
        this.#parts.log.info({ oldestMs: oldest.ageMs }, 'another relay sends the events');
        break;
      }
      const taken = await this.#send(unsent, sink);
      // Also what was taken: if it cannot be removed, it is not sent again in this tick.
      for (const { key } of unsent) this.#left.keys.add(key);
      await outbox.remove([...taken]);
      for (const key of taken) this.#left.keys.delete(key);
      // Whoever recorded more since waits for this one to end, but not for long: its events are then ours.
      const isAll = read.length < limit && performance.now() - readAt < QUICK_MS;
      if (isAll) break;
    }
    if (isAlone) await outbox.giveBack();
  }

  /** @returns the keys of what the sink has taken. */
  async #send(events: readonly Addressed[], sink: Sink): Promise<Set<string>> {
    const taken = new Set<string>();
    const lanes = [...Map.groupBy(events, ({ bead }) => bead).values()];
    const work = async () => {
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        for (const event of lane) {
          if (await this.#isTaken(event, sink)) taken.add(event.key);
        }
      }
    };
    await Promise.all(Array.from({ length: LANES }, work));
    return taken;
  }

  async #isTaken({ key, bead, event }: Addressed, sink: Sink): Promise<boolean> {
    if (this.#hasEnded || this.#left.beads.has(bead)) return false;
    const timeoutMs = Math.min(SEND_TIMEOUT_MS, this.#deadline - performance.now());
    if (timeoutMs <= 0) {
      this.#end('the time of this tick is over');
      return false;
    }
    const delivery = await sink.deliver(event, timeoutMs);
    if (delivery.kind === 'taken') {
      this.#refusals = 0;
      return true;
    }
    if (delivery.kind === 'away') {
      this.#end(delivery.problem);
      return false;
    }
    this.#left.beads.add(bead);
    this.#refusals += 1;
    this.#log(event, `the sink refuses an event (${delivery.problem}); it stays as ${key}`);
    if (this.#refusals >= REFUSALS_THAT_END_IT) this.#end('it refuses one event after the other');
    return false;
  }

  #close(): void {
    this.#outbox?.close();
    this.#outbox = undefined;
  }

  #end(problem: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#parts.log.warn({ problem }, 'events stay in the outbox for a later tick');
  }

  #log(event: string, message: string, level: 'info' | 'warn' = 'warn'): void {
    this.#parts.log[level]({ event: parseJson(event) ?? event }, message);
  }
}

/** An event in the outbox, and what the relay needs to know of it. */
interface Addressed extends UnsentEvent {
  bead: string;
}

const head = z.object({ subject: z.string() });

/** What is no event at all is alone in its lane, where the sink will refuse it. */
function addressed(unsent: UnsentEvent): Addressed {
  const parsed = head.safeParse(parseJson(unsent.event));
  return { ...unsent, bead: parsed.success ? parsed.data.subject : unsent.key };
}
