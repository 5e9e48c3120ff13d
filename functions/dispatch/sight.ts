import type { Beads } from '../../shared/beads/beads.ts';
import type { Look } from '../../shared/beads/look.ts';
import { decide, type Decision, type Policy } from './decide.ts';

/**
 * Beads are taken on one look for so long, as long as all goes well: a look costs more than a claim when
 * many beads wait. Each claim reads its own bead again, and leaves it when it has changed.
 */
const CURRENT_MS = 1_000;
/** With very many beads a look takes long; no more than a tenth of the time goes into looks. */
const LOOK_SHARE = 10;

/** What a tick last saw of the beads, and what it decided on it (docs/decisions/0015). */
export class Sight {
  readonly #beads: Beads;
  readonly #policy: Policy;
  readonly #currentUntil: number;
  readonly seen: Look;
  readonly decision: Decision;

  private constructor(beads: Beads, policy: Policy, seen: Look, currentUntil: number) {
    this.#beads = beads;
    this.#policy = policy;
    this.#currentUntil = currentUntil;
    this.seen = seen;
    this.decision = decide(seen, policy);
  }

  /** Looks at the beads. @throws when the database does not answer. */
  static async take(beads: Beads, policy: Policy): Promise<Sight> {
    const startedAt = performance.now();
    const seen = await beads.look();
    const now = performance.now();
    const currentMs = Math.max(CURRENT_MS, LOOK_SHARE * (now - startedAt));
    return new Sight(beads, policy, seen, now + currentMs);
  }

  /** Whether another bead may be taken on it. Where beads in flight are bounded, others may have taken some. */
  get isCurrent(): boolean {
    return this.#policy.maxInFlight === undefined && performance.now() < this.#currentUntil;
  }

  /** Whether a second look could find another bead to take, but for those that come meanwhile. */
  get hasOthers(): boolean {
    return this.seen.open.length > 1;
  }

  async renew(): Promise<Sight> {
    return await Sight.take(this.#beads, this.#policy);
  }
}
