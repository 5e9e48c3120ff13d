import { createHash } from 'node:crypto';

import { describeError, UNEXPECTED } from '../runtime/errors.ts';
import type { AuditEvent } from './event-types.ts';

/** A failure that lasts is told once in this time. */
const PERIOD_MS = 3_600_000;

/**
 * The event of a tick that failed. A PingSource repeats a failed tick five times within 3.5 s, in
 * one pod or several: for the same cause within the same hour the id is the same, so that a
 * subscriber that deduplicates tells it once.
 *
 * @param name the function's.
 * @param project names the database's project, as in the event's source.
 */
export function tickFailed(name: string, project: string, error: unknown): AuditEvent {
  const at = new Date();
  const { code, message: said } = describeError(error);
  // What nobody foresaw may say anything.
  const message = code === UNEXPECTED ? 'see the log' : said;
  const period = Math.floor(at.getTime() / PERIOD_MS);
  const digest = createHash('sha256').update(`${project} ${name} ${code} ${period}`).digest('hex');
  // UUIDv8: 122 bits of one's own (RFC 9562, section 5.8).
  const id = digest.slice(0, 32).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-8$3-8$4-$5');
  return {
    id,
    name: 'tick.failed.v1',
    subject: name,
    at,
    data: { function: name, code, message },
  };
}
