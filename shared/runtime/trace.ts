import { randomBytes } from 'node:crypto';

/** W3C trace context: version, trace id, parent id, flags. All zeros are not valid ids. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/**
 * The tick's own place in a trace: a child of the sender's when it sent a valid `traceparent`, else
 * the start of a new one.
 */
export function traceOf(incoming: unknown): string {
  const match = typeof incoming === 'string' ? TRACEPARENT.exec(incoming) : null;
  const random = randomBytes(24).toString('hex');
  const traceId = match?.[1] ?? random.slice(0, 32);
  return `00-${traceId}-${random.slice(32)}-${match?.[2] ?? '01'}`;
}

/** @param traceparent as {@link traceOf} makes it. */
export const traceIdOf = (traceparent: string): string => traceparent.split('-')[1] ?? '';
