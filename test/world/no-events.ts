import type { ToCloudEvent } from '../../shared/events/to-cloud-event.ts';

/** Where nothing is told, or nobody reads it. */
export const NO_EVENTS: ToCloudEvent = Object.assign(() => '', { traceId: '0'.repeat(32) });
