import type { BeadsDatabase } from '../../shared/beads/beads.ts';
import type { Bead } from '../../shared/beads/rows/bead.ts';
import type { ToCloudEvent } from '../../shared/events/to-cloud-event.ts';
import { NOT_ASKED } from '../../shared/rules/next-tick.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import { SingleFlight } from '../../shared/runtime/single-flight.ts';
import { ageSeconds } from '../../shared/views/age.ts';
import { listOf } from '../../shared/views/list.ts';
import { statusOf } from '../../shared/views/status.ts';
import { storyOf } from '../../shared/views/story.ts';
import { whyOf } from '../../shared/views/why.ts';
import { Durations } from './durations.ts';
import { Metrics } from './metrics.ts';
import type { BeadView, StateView } from './state-view.ts';

/** However many ask, the database is asked this often. */
const FRESH_MS = 1_000;

export interface StateReaderParts {
  database: BeadsDatabase;
  newToCloudEvent: () => ToCloudEvent;
  policy: Policy;
  assignee: string;
  paused: boolean;
}

/** Reads for the page, the API and the metrics; the same snapshot and rules as the dispatcher. */
export class StateReader {
  readonly #parts: StateReaderParts;
  readonly #flights = new SingleFlight<StateView>();
  readonly #durationFlights = new SingleFlight<void>();
  readonly #durations: Durations;
  readonly #metrics: Metrics;
  #changes = 0;
  #last: { state: StateView; readAt: number } | undefined;

  constructor(parts: StateReaderParts) {
    this.#parts = parts;
    this.#durations = new Durations(parts.assignee);
    this.#metrics = new Metrics(this.#durations.metrics);
  }

  /** @throws when the database does not answer. */
  async state(): Promise<StateView> {
    if (this.#last !== undefined && performance.now() - this.#last.readAt < FRESH_MS) {
      return this.#last.state;
    }
    return await this.#flights.run(async () => {
      const changes = this.#changes;
      const state = await this.#read();
      if (changes === this.#changes) this.#last = { state, readAt: performance.now() };
      return state;
    });
  }

  /** The beads may have changed: what was read before, or is being read, serves nobody any more. */
  forget(): void {
    this.#changes += 1;
    this.#last = undefined;
  }

  /**
   * The metrics of now, in the text format of Prometheus.
   * @throws when the database does not answer.
   */
  async metrics(): Promise<string> {
    const state = await this.state();
    await this.#durationFlights.run(async () => {
      const { database, newToCloudEvent } = this.#parts;
      await database.inspect(newToCloudEvent(), async (_, inspector) =>
        this.#durations.update(inspector),
      );
    });
    return await this.#metrics.of(state);
  }

  /** @throws when the database does not answer. */
  async bead(id: string): Promise<BeadView> {
    const { database, newToCloudEvent, policy, assignee: sentinel, paused } = this.#parts;
    return await database.inspect(newToCloudEvent(), async (beads, inspector) => {
      const snapshot = await beads.readSnapshot();
      const changes = await inspector.history(id);
      const about = { sentinel, paused, surroundings: NOT_ASKED, changes };
      return {
        why: whyOf(id, await inspector.find(id), snapshot, policy, about),
        history: storyOf(id, changes, sentinel, await inspector.traces(id)),
      };
    });
  }

  async #read(): Promise<StateView> {
    const { database, newToCloudEvent, policy, assignee, paused } = this.#parts;
    return await database.inspect(newToCloudEvent(), async (beads, inspector) => {
      const snapshot = await beads.readSnapshot();
      const overview = await inspector.overview();
      return {
        status: statusOf({ snapshot, policy, assignee, paused, overview }),
        beads: listOf(snapshot, overview.blocked, policy, NOT_ASKED),
        finished: finishedOf(overview.closed, snapshot.now),
        transitions: await inspector.transitionCounts(),
      };
    });
  }
}

/** As many as anybody looks at. */
const MOST_FINISHED = 100;

function finishedOf(closed: readonly Bead[], now: Date): StateView['finished'] {
  const newest = closed.toSorted((a, b) => b.updatedAt.getTime() - a.updatedAt.getTime());
  return newest
    .slice(0, MOST_FINISHED)
    .map(({ id, title, updatedAt }) => ({ id, title, ageSeconds: ageSeconds(updatedAt, now) }));
}
