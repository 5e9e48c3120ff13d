import { Histogram, type Metric } from 'prom-client';

import type { HistoryCursor, Inspector } from '../../shared/beads/inspector.ts';
import { DurationFinder } from '../../shared/views/durations.ts';

/** From a wake-up that is answered at once to a bead that waits for a person over night. */
const PICKUP_BUCKETS_SECONDS = [1, 5, 15, 30, 60, 120, 300, 900, 1_800, 3_600, 14_400, 43_200];
/** From a note to a day's work. */
const RUN_BUCKETS_SECONDS = [30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 43_200];

/**
 * The histograms of how long beads wait and how long agents work. They are made from all of bd's
 * history, read once at the first scrape and then continued, so that a process that starts anew
 * comes to the same figures.
 */
export class Durations {
  readonly #finder: DurationFinder;
  readonly #pickup = new Histogram({
    name: 'beads_dispatch_pickup_seconds',
    help: 'From the change that made a bead the agent’s to take to its dispatch.',
    buckets: PICKUP_BUCKETS_SECONDS,
    registers: [],
  });
  readonly #run = new Histogram({
    name: 'beads_dispatch_run_seconds',
    help: 'From the dispatch of a bead to its end, by whomever.',
    buckets: RUN_BUCKETS_SECONDS,
    registers: [],
  });
  #cursor: HistoryCursor | undefined;

  constructor(sentinel: string) {
    this.#finder = new DurationFinder(sentinel);
  }

  get metrics(): readonly Metric[] {
    return [this.#pickup, this.#run];
  }

  /** Reads on from where the last one ended. @throws when the database does not answer. */
  async update(inspector: Inspector): Promise<void> {
    for (;;) {
      const { changes, cursor, isLast } = await inspector.historySince(this.#cursor);
      for (const { of, seconds } of changes.flatMap((change) => this.#finder.next(change))) {
        (of === 'pickup' ? this.#pickup : this.#run).observe(seconds);
      }
      this.#cursor = cursor;
      if (isLast) return;
    }
  }
}
