import type { CloudEvent } from 'cloudevents';

/** Events come again soon or never; this many cover days of a busy tracker. */
const REMEMBERED = 10_000;

/** Handles each event once, by its source and id, as far as this process remembers. */
export class Once {
  /** Handled, or being handled; the oldest first. */
  readonly #known = new Map<string, Promise<void>>();

  /** Takes an event for handled, for example one that an earlier process wrote down. */
  remember(event: Pick<CloudEvent, 'source' | 'id'>): void {
    this.#known.set(keyOf(event), Promise.resolve());
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED) break;
      this.#known.delete(oldest);
    }
  }

  /**
   * Calls `handle` unless the event was handled before; waits for a delivery of the same event that is
   * under way. An event whose handling failed may come again.
   */
  async handle(
    event: Pick<CloudEvent, 'source' | 'id'>,
    handle: () => Promise<void>,
  ): Promise<void> {
    const key = keyOf(event);
    const known = this.#known.get(key);
    if (known !== undefined) {
      await known;
      return;
    }
    const handling = handle();
    this.#known.set(key, handling);
    try {
      await handling;
      this.remember(event);
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }
}

const keyOf = ({ source, id }: Pick<CloudEvent, 'source' | 'id'>) => `${source} ${id}`;
