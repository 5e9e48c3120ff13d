/**
 * Runs one piece of work at a time. Whoever asks while it runs gets the next run, together with all
 * others that wait: a tick reads everything, so one run after the request is as good as many.
 */
export class SingleFlight<T> {
  #running: Promise<unknown> | undefined;
  #next: Promise<T> | undefined;

  /** @param work is left undone when another one that waits will run instead. */
  async run(work: () => Promise<T>): Promise<T> {
    if (this.#running === undefined) return await this.#start(work);
    this.#next ??= this.#after(this.#running, work);
    return await this.#next;
  }

  /** Waits until nothing runs; never throws. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
  }

  async #after(running: Promise<unknown>, work: () => Promise<T>): Promise<T> {
    await running.catch(() => undefined);
    this.#next = undefined;
    return await this.#start(work);
  }

  async #start(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#running = running;
    try {
      return await running;
    } finally {
      if (this.#running === running) this.#running = undefined;
    }
  }
}
