/** What is away is tried again after this, and twice as long each time. */
const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** How long to wait before something that is away is tried again. */
export class ReconnectDelay {
  readonly #longestMs: number;
  #nextMs = FIRST_MS;

  constructor(longestMs = LONGEST_MS) {
    this.#longestMs = longestMs;
  }

  /** @returns this pause, in milliseconds; the next one is longer. */
  next(): number {
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(2 * pauseMs, this.#longestMs);
    return pauseMs;
  }

  /** It is there again. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
