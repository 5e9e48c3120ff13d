import type { Candidate } from '../../shared/beads/snapshot.ts';
import {
  conditionsOf,
  type DispatchDecision,
  type Eligible,
} from '../../shared/rules/eligibility.ts';
import type { Policy } from '../../shared/rules/policy.ts';
import type { Reason } from '../../shared/rules/reasons.ts';
import type { Logger } from '../../shared/runtime/log.ts';

/**
 * A log line holds so many beads with their reasons; `skipped` in the tick's line counts them all.
 */
const MAX_LOGGED = 100;

/** Says why beads are skipped: once, and again when that has changed. */
export class SkipReport {
  #last = '[]';

  report({ skipped, breaker }: DispatchDecision, log: Logger): void {
    if (breaker.kind !== 'closed') log.warn({ breaker }, 'dispatches keep failing');
    const now = JSON.stringify(skipped.map(({ id, code, until }) => [id, code, until]));
    if (now === this.#last) return;
    this.#last = now;
    log.info({ skipped: skipped.slice(0, MAX_LOGGED) }, 'skipped');
  }

  /**
   * A bead that waits only for room has a reason, too.
   * @param remaining the beads that wait, the best first; `nextBead` is the one that would have
   *   gone.
   */
  reportStop(
    reason: Reason,
    remaining: readonly Eligible[],
    { bead: { id: nextBead } }: Eligible,
    log: Logger,
  ): void {
    const skipped = remaining.slice(0, MAX_LOGGED).map(({ bead }) => bead.id);
    log.info({ ...reason, nextBead, skipped }, 'no further bead is taken');
  }

  /** Each condition of each bead, for LOG_LEVEL=debug. */
  reportConditions(open: readonly Candidate[], now: Date, policy: Policy, log: Logger): void {
    if (!log.isLevelEnabled('debug')) return;
    for (const candidate of open.slice(0, MAX_LOGGED)) {
      const conditions = conditionsOf(candidate, now, policy).map(
        ({ name, reason }) => `${reason === undefined ? '✓' : '✗'} ${name}`,
      );
      log.debug({ bead: candidate.bead.id, conditions }, 'conditions');
    }
  }
}
