import { describeError, isOfOneBead } from './errors.ts';
import type { Logger } from './log.ts';

/**
 * Logs that one bead could not be written, so that a tick can go on with the next.
 * @throws the error itself when it is not of this bead alone, and the tick must end.
 */
export function logUnwritten(error: unknown, beadId: string, log: Logger): void {
  if (!isOfOneBead(error)) throw error;
  log.error({ bead: beadId, ...describeError(error) }, 'this bead could not be written');
}
