import * as z from 'zod';

import type { BeadsDatabase } from '../../shared/beads/beads.ts';
import { TRANSITION_NAMES } from '../../shared/beads/rows/claim-marker.ts';
import type { ToCloudEvent } from '../../shared/events/to-cloud-event.ts';
import { NOT_ASKED } from '../../shared/rules/next-tick.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import { SingleFlight } from '../../shared/runtime/single-flight.ts';
import { count } from '../../shared/views/fields.ts';
import { listedBead, listOf } from '../../shared/views/list.ts';
import { statusOf, statusView } from '../../shared/views/status.ts';
import { storyOf, storyView } from '../../shared/views/story.ts';
import { whyOf, whyView } from '../../shared/views/why.ts';

/** The shape of `/api/v1/state`: what `kn beads status` and `kn beads list` show. */
export const stateView = z.object({
  status: statusView,
  beads: z.array(listedBead),
  transitions: z
    .record(z.enum(TRANSITION_NAMES), count)
    .describe('How often each is in the history of beads.'),
});
export type StateView = z.output<typeof stateView>;

/** The shape of `/api/v1/beads/{id}`: what `kn beads why` and `kn beads history` show. */
export const beadView = z.object({ why: whyView, history: storyView });
export type BeadView = z.output<typeof beadView>;

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
  #last: { state: StateView; readAt: number } | undefined;

  constructor(parts: StateReaderParts) {
    this.#parts = parts;
  }

  /** @throws when the database does not answer. */
  async state(): Promise<StateView> {
    if (this.#last !== undefined && performance.now() - this.#last.readAt < FRESH_MS) {
      return this.#last.state;
    }
    return await this.#flights.run(async () => {
      const state = await this.#read();
      this.#last = { state, readAt: performance.now() };
      return state;
    });
  }

  /** @throws when the database does not answer. */
  async bead(id: string): Promise<BeadView> {
    const { database, newToCloudEvent, policy, assignee: sentinel, paused } = this.#parts;
    return await database.inspect(newToCloudEvent(), async (beads, inspector) => {
      const snapshot = await beads.readSnapshot();
      const about = { sentinel, paused, surroundings: NOT_ASKED };
      return {
        why: whyOf(id, await inspector.find(id), snapshot, policy, about),
        history: storyOf(id, await inspector.history(id), sentinel),
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
        transitions: await inspector.transitionCounts(),
      };
    });
  }
}
