import type { AgentService } from '../../shared/agent-service/agent-service.ts';
import type { BeadBoard } from '../../shared/beadboard/beadboard.ts';
import type { BeadsDatabase } from '../../shared/beads/beads.ts';
import { settleOrphans } from '../../shared/settle-orphans.ts';
import type { TickContext } from '../../shared/tick-function.ts';
import { decide, roomFor, type Policy } from './decide.ts';
import { handOver, type HandOver } from './hand-over.ts';

export interface DispatchParts {
  database: BeadsDatabase;
  beadboard: BeadBoard;
  agentService: AgentService | undefined;
  policy: Policy;
  /** A tick takes no new bead after this long. */
  tickTimeoutMs: number;
}

export type DispatchCounts = Record<
  HandOver | 'eligible' | 'left' | 'released' | 'orphaned',
  number
>;

/**
 * One refusal may be the bead's own fault; two in a row are BeadBoard's, and every further try
 * would only cost one more bead an attempt.
 */
const MISSES_THAT_END_A_TICK = 2;

/**
 * One tick of the dispatcher: look, settle what a dead one left, decide, then claim, hand over and record bead by bead, until
 * BeadBoard is busy, the room is used up or the time is over.
 *
 * @returns how many beads came to what.
 * @throws when it could not look: the database or BeadBoard does not answer. Nothing is claimed then.
 */
export async function dispatchTick(
  { database, beadboard, agentService, policy, tickTimeoutMs }: DispatchParts,
  context: TickContext,
): Promise<DispatchCounts> {
  const deadline = performance.now() + tickTimeoutMs;
  return await database.use(async (beads) => {
    const seen = await beads.look();
    const settled = await settleOrphans(beads, seen.inProgress, context);
    const { eligible, left } = decide(seen, policy);
    for (const { id, reason } of left) context.log.debug({ bead: id, reason }, 'left alone');
    for (const { id, problem } of seen.bad) context.log.warn({ bead: id, problem }, 'bad row');

    const counts = {
      eligible: eligible.length,
      left: left.length,
      dispatched: 0,
      failed: 0,
      busy: 0,
      unconfirmed: 0,
      lost: 0,
      ...settled,
    };
    if (eligible.length === 0) return counts;

    const room = roomFor(policy, seen.inProgress.length, await agentService?.freeCapacity());
    let misses = 0;
    for (const next of eligible.slice(0, room)) {
      if (performance.now() > deadline) break;
      if (await beadboard.isBusy()) break;
      const result = await handOver(next, beads, beadboard, policy.retry, context);
      counts[result] += 1;
      misses = result === 'failed' || result === 'unconfirmed' ? misses + 1 : 0;
      if (result === 'busy' || misses === MISSES_THAT_END_A_TICK) break;
    }
    return counts;
  });
}
