import type { Relay } from '../events/relay.ts';
import type { ToCloudEvent } from '../events/to-cloud-event.ts';
import type { Logger } from '../runtime/log.ts';
import type { BeadFaults } from './bead-faults.ts';

/** What a tick gets of its surroundings. */
export interface TickContext {
  log: Logger;
  /** Takes what the tick has recorded to the sink, beside its work. */
  relay: Relay;
  /** What went wrong with single beads. */
  faults: BeadFaults;
  /** Makes events of what the tick does. */
  toCloudEvent: ToCloudEvent;
  /** W3C trace context, for calls and events. */
  traceparent: string;
  /** Whether the process has been told to end; no new bead is taken then. */
  isStopping(): boolean;
}

/** How many beads a tick did something with, by what it did; `errors` could not be written. */
export type Counts = Readonly<Record<string, number>> & { readonly errors: number };

/** What one tick came to. */
export interface TickResult<C extends Counts = Counts> {
  counts: C;
  /** More can be dispatched at once: whoever can should run another tick. */
  isDispatchDue: boolean;
}

export type Tick = (context: TickContext) => Promise<TickResult>;
