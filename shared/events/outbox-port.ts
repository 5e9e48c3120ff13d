import * as z from 'zod';

import { parseJson } from '../runtime/json.ts';

/** What the relay reads from an outbox, and asks of it. */

/** One event that no sink has taken yet. */
export interface UnsentEvent {
  /** Names it to the outbox. */
  key: string;
  /** The CloudEvent, as JSON. */
  event: string;
  /** How long it has been there, by the server's clock. */
  ageMs: number;
  /** How often the sink has not taken it. */
  tries: number;
  /** By the server's clock. */
  readAt: Date;
}

/** What the relay needs of an outbox; that of the database is shared/beads/rows/outbox.ts. */
export interface OutboxPort {
  /** @returns whether no other relay sends at this time. */
  take(): Promise<boolean>;
  giveBack(): Promise<void>;
  /** The oldest first; then parked ones that are due. */
  read(limit: number): Promise<UnsentEvent[]>;
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Puts an event aside.
   * @returns how often the sink has not taken it, and when it is tried again.
   */
  park(unsent: UnsentEvent, problem: string): Promise<{ tries: number; retryAt: Date }>;
  /** Keeps what is known of a sink that takes nothing, for people. */
  noteAway(problem: string): Promise<void>;
  close(): void;
}

const about = z.object({ id: z.string(), type: z.string(), subject: z.string() });

/** What is no event at all is alone in its lane, where the sink will refuse it. */
export function aboutOf({ key, event }: Pick<UnsentEvent, 'key' | 'event'>) {
  const parsed = about.safeParse(parseJson(event));
  return parsed.success ? parsed.data : { id: key, type: '', subject: key };
}
