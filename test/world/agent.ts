import { setTimeout as pause } from 'node:timers/promises';

import type { BeadBoardStandIn } from './beadboard.ts';
import type { Tracker } from './tracker.ts';

/** What an agent does with a bead after its first note. */
export type Behaviour = 'finishes' | 'stalls';

/** Time for the agent to read a bead, and to work on it; long enough to be seen. */
const READ_MS = 300;
const WORK_MS = 2_500;
const LOOK_AGAIN_MS = 10;

/**
 * A stand-in for the agents that the agent service runs, keeping to their rails: the first act is
 * the note `claimed by agent <job>`, then notes of progress, and on success the bead is closed.
 */
export class AgentStandIn {
  /** By bead id; a bead that is not here is finished. */
  readonly behaviour = new Map<string, Behaviour>();

  /** The jobs of agents that do nothing after their first note, by bead. */
  readonly #idle = new Map<string, string>();
  /** Jobs whose agents have not noted yet. */
  readonly #reading = new Set<string>();
  readonly #board: BeadBoardStandIn;
  readonly #tracker: Tracker;
  readonly #ended = new AbortController();
  /** One after the other, since they share one connection. */
  #writing: Promise<void> = Promise.resolve();

  /** @param tracker a connection of the agents' own. */
  constructor(board: BeadBoardStandIn, tracker: Tracker) {
    this.#board = board;
    this.#tracker = tracker;
    board.onJob = (beadId, jobId) => {
      this.#reading.add(jobId);
      void this.#work(beadId, jobId)
        .catch((error: unknown) => {
          if (!this.#ended.signal.aborted) console.error(`agent on ${beadId}:`, error);
        })
        .finally(() => this.#reading.delete(jobId));
    };
  }

  /** Waits until every agent has written its first note. */
  async begun(): Promise<void> {
    while (this.#reading.size > 0) await pause(LOOK_AGAIN_MS);
  }

  /** Whether the agent on a bead does nothing any more, and its job still runs. */
  isIdle(beadId: string): boolean {
    return this.#idle.has(beadId);
  }

  /** An agent that had stalled closes its bead after all. */
  async finish(beadId: string): Promise<void> {
    await this.#finish(beadId, this.#stalledJob(beadId));
  }

  /** The job of an agent that had stalled ends without a word. */
  die(beadId: string): void {
    this.#board.finish(this.#stalledJob(beadId));
    this.#idle.delete(beadId);
  }

  /** @throws when no agent has stalled on that bead. */
  #stalledJob(beadId: string): string {
    const jobId = this.#idle.get(beadId);
    if (jobId === undefined) throw new Error(`no agent has stalled on ${beadId}`);
    return jobId;
  }

  /** All agents stop where they are. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#writing;
    await this.#tracker.close();
  }

  async #work(beadId: string, jobId: string): Promise<void> {
    const { signal } = this.#ended;
    if (this.behaviour.get(beadId) === 'stalls') this.#idle.set(beadId, jobId);
    await pause(READ_MS, undefined, { signal });
    await this.#write(() => this.#note(beadId, `claimed by agent ${jobId}`));
    this.#reading.delete(jobId);
    if (this.#idle.has(beadId)) return;
    await pause(WORK_MS, undefined, { signal });
    await this.#finish(beadId, jobId);
  }

  async #finish(beadId: string, jobId: string): Promise<void> {
    this.#idle.delete(beadId);
    await this.#write(() => this.#note(beadId, 'the acceptance criteria are met'));
    await this.#write(() =>
      this.#tracker.closeBead(beadId, `completed by agent ${jobId}`, 'beads-task-runner'),
    );
    this.#board.finish(jobId);
  }

  async #note(beadId: string, note: string): Promise<void> {
    await this.#tracker.note(beadId, note, 'beads-task-runner');
  }

  async #write(act: () => Promise<void>): Promise<void> {
    // A tick may be faster, as with anybody's bd.
    this.#writing = this.#writing.then(() =>
      this.#ended.signal.aborted ? undefined : this.#tracker.retrying(act),
    );
    await this.#writing;
  }
}
