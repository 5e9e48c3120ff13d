import { randomUUID } from 'node:crypto';

import type { AuditEvent, EventPayload } from './event-types.ts';

/**
 * A wake-up asks a function for a tick, through the broker. It is no record: a lost one costs some
 * time.
 */
export type WakeUp = Extract<EventPayload, { name: 'dispatch.due.v1' | 'reap.due.v1' }>;
export type WakeUpName = WakeUp['name'];

/** @param beads how many there are to do something with. */
export function wakeUpEvent(name: WakeUpName, { reason, beads }: WakeUp['data']): AuditEvent {
  const [subject = name] = name.split('.');
  return { id: randomUUID(), name, subject, at: new Date(), data: { reason, beads } };
}
