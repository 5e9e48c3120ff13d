import { randomInt } from 'node:crypto';

import type { Eligible } from '../../shared/rules/eligibility.ts';
import type { DispatchResult } from './dispatch-bead.ts';

/**
 * A tick that lost a bead to another tick would meet it at the next one, too; one of the next ten,
 * if they are as urgent, is likely free.
 */
const STEP_ASIDE = 10;

/**
 * How many beads came to what. `claimLost`: another writer was faster, or the bead was given back
 * unposted.
 */
export type DispatchCounts = Record<
  | 'eligible'
  | 'skipped'
  | 'dispatched'
  | 'failed'
  | 'busy'
  | 'unconfirmed'
  | 'claimLost'
  | 'completed'
  | 'released'
  | 'orphaned'
  | 'errors',
  number
>;

const COUNTED_AS: Record<DispatchResult, keyof DispatchCounts> = {
  dispatched: 'dispatched',
  failed: 'failed',
  busy: 'busy',
  unconfirmed: 'unconfirmed',
  'claim-lost': 'claimLost',
  withdrawn: 'claimLost',
  error: 'errors',
};

/** How far one tick has come. */
export class Progress {
  readonly counts: DispatchCounts;
  readonly #tried = new Set<string>();
  #missesInARow = 0;
  #last: DispatchResult | undefined;

  constructor(
    counts: Pick<
      DispatchCounts,
      'eligible' | 'skipped' | 'completed' | 'released' | 'orphaned' | 'errors'
    >,
  ) {
    this.counts = { dispatched: 0, failed: 0, busy: 0, unconfirmed: 0, claimLost: 0, ...counts };
  }

  /** Beads that were dispatched, or may have been. */
  get taken(): number {
    return this.counts.dispatched + this.counts.unconfirmed;
  }

  get missesInARow(): number {
    return this.#missesInARow;
  }

  get wasBusy(): boolean {
    return this.counts.busy > 0;
  }

  /** The last bead changed nothing that another bead of the same snapshot depends on. */
  get goesWell(): boolean {
    return this.#last === 'dispatched' || this.#last === 'claim-lost';
  }

  /** Those of a plan that this tick has not tried yet, the best first. */
  remaining(eligible: readonly Eligible[]): Eligible[] {
    return eligible.filter(({ bead }) => !this.#tried.has(bead.id));
  }

  /** @returns the one to try next: the best, or after a lost claim one that is as urgent. */
  choose(remaining: readonly Eligible[]): Eligible | undefined {
    const [best] = remaining;
    if (best === undefined || this.#last !== 'claim-lost') return best;
    const asUrgent = remaining
      .slice(0, STEP_ASIDE)
      .filter(({ bead }) => bead.priority === best.bead.priority);
    return asUrgent[randomInt(asUrgent.length)] ?? best;
  }

  /** Of beads that this tick takes no more. */
  skipAll({ length }: readonly Eligible[]): void {
    this.counts.skipped += length;
  }

  skip(id: string): void {
    this.#tried.add(id);
    this.counts.skipped += 1;
  }

  record(id: string, result: DispatchResult): void {
    this.#tried.add(id);
    this.#last = result;
    this.counts[COUNTED_AS[result]] += 1;
    const isMiss = result === 'failed' || result === 'unconfirmed';
    this.#missesInARow = isMiss ? this.#missesInARow + 1 : 0;
  }
}
