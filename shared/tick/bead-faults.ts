import type { Beads } from '../beads/beads.ts';
import { errorForLog, isBeadError, TransitionContendedError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';

/** So many equal faults in a row may be the database's and not the beads'. */
const EQUAL_FAULTS = 2;

/**
 * The faults of single beads in one tick: each is logged, and the tick continues with the next
 * bead. When equal faults follow each other, the database is tried with a write of its own, so that
 * a server that takes no writes is told once, and two bad beads do not stop the good ones behind
 * them.
 */
export class BeadFaults {
  readonly #log: Logger;
  #last = '';
  #equal = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** A bead went well. */
  clear(): void {
    this.#equal = 0;
  }

  /**
   * @throws the error itself when it is not of this bead alone, or what the database says to a
   *   write; the tick must end then.
   */
  async record(error: unknown, beadId: string, beads: Beads): Promise<void> {
    if (!isBeadError(error)) throw error;
    const described = errorForLog(error);
    this.#log.error({ bead: beadId, ...described }, 'this bead could not be written');
    if (error instanceof TransitionContendedError) return;
    const fault = `${described.code} ${described.message.replaceAll(beadId, '')}`;
    this.#equal = fault === this.#last ? this.#equal + 1 : 1;
    this.#last = fault;
    if (this.#equal < EQUAL_FAULTS) return;
    await beads.tryWrite();
    this.#equal = 0;
  }
}
