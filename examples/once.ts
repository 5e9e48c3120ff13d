import type { CloudEvent } from 'cloudevents';

/** Events come again soon or never; this many cover days of a busy tracker. */
const REMEMBERED = 10_000;

/** Handles each event once, by its source and id, as far as this process remembers. */
export class Once {
  /** The oldest first. */
  readonly #handled = new Set<string>();
  readonly #underWay = new Map<string, Promise<void>>();

  /** Takes an event for handled, for example one that an earlier process wrote down. */
  remember(event: Pick<CloudEvent, 'source' | 'id'>): void {
    this.#handled.add(keyOf(event));
    for (const oldest of this.#handled) {
      if (this.#handled.size <= REMEMBERED) break;
      this.#handled.delete(oldest);
    }
  }

  /**
   * Calls `handle` unless the event was handled before; waits for a delivery of the same event that
   * is under way. An event whose handling failed may come again.
   */
  async handle(
    event: Pick<CloudEvent, 'source' | 'id'>,
    handle: () => Promise<void>,
  ): Promise<void> {
    const key = keyOf(event);
    if (this.#handled.has(key)) return;
    let handling = this.#underWay.get(key);
    if (handling === undefined) {
      handling = handle();
      this.#underWay.set(key, handling);
    }
    try {
      await handling;
      this.remember(event);
    } finally {
      this.#underWay.delete(key);
    }
  }
}

const keyOf = ({ source, id }: Pick<CloudEvent, 'source' | 'id'>) => `${source} ${id}`;
