import type { Beads } from '../../shared/beads/beads.ts';
import type { Snapshot } from '../../shared/beads/snapshot.ts';
import { decideDispatch, type DispatchDecision } from '../../shared/rules/eligibility.ts';
import type { Policy } from '../../shared/rules/policy.ts';

/**
 * Beads are taken on one snapshot for so long, as long as all goes well: a snapshot costs more than
 * a claim when many beads wait. Each claim reads its own bead again, and leaves it when it has
 * changed.
 */
const CURRENT_MS = 1_000;
/**
 * With very many beads a snapshot takes long; no more than a tenth of the time goes into snapshots.
 */
const SNAPSHOT_SHARE = 10;

/** What a tick last read of the beads, and what it decided on it (docs/decisions/0020). */
export class DispatchPlan {
  readonly #beads: Beads;
  readonly #policy: Policy;
  readonly #currentUntil: number;
  readonly snapshot: Snapshot;
  readonly decision: DispatchDecision;

  private constructor(beads: Beads, policy: Policy, snapshot: Snapshot, currentUntil: number) {
    this.#beads = beads;
    this.#policy = policy;
    this.#currentUntil = currentUntil;
    this.snapshot = snapshot;
    this.decision = decideDispatch(snapshot, policy);
  }

  /** Reads the beads and decides. @throws when the database does not answer. */
  static async read(beads: Beads, policy: Policy): Promise<DispatchPlan> {
    const startedAt = performance.now();
    const snapshot = await beads.readSnapshot();
    const now = performance.now();
    const currentMs = Math.max(CURRENT_MS, SNAPSHOT_SHARE * (now - startedAt));
    return new DispatchPlan(beads, policy, snapshot, now + currentMs);
  }

  /**
   * Whether another bead may be taken on it. Where beads in flight are bounded, others may have
   * taken some.
   */
  get isCurrent(): boolean {
    return this.#policy.maxInFlight === undefined && performance.now() < this.#currentUntil;
  }

  /**
   * Whether a second snapshot could find another bead to take, but for those that come meanwhile.
   */
  get hasOthers(): boolean {
    return this.snapshot.open.length > 1;
  }

  async renew(): Promise<DispatchPlan> {
    return await DispatchPlan.read(this.#beads, this.#policy);
  }
}
