/**
 * Why a bead is not dispatched. Code decides by the codes; this is the one table of words for them.
 */

/** What a reason can tell beside its code. */
export interface Detail {
  problem?: string;
  type?: string;
  bytes?: number;
  maxBytes?: number;
  until?: Date;
  count?: number;
  job?: string;
}

const WORDS = {
  'bad-row': ({ problem }: Detail) => `its row cannot be read: ${problem}`,
  'bad-id': () => 'its id begins or ends with a blank',
  'no-acceptance-criteria': () => 'it has no acceptance criteria',
  'not-work': ({ type }: Detail) => `its type is ${type}, which is not work`,
  pinned: () => 'it is pinned',
  template: () => 'it is a template',
  ephemeral: () => 'it is ephemeral',
  deferred: ({ until }: Detail) => `it is deferred until ${until?.toISOString()}`,
  'too-large': ({ bytes, maxBytes }: Detail) =>
    `it is too large: ${bytes} bytes of text, at most ${maxBytes} are allowed`,
  'foreign-metadata': () => 'its metadata has something else where the claim marker goes',
  'full-notes': () => 'its notes have no room for another note',
  'deferred-parent': () => 'its parent is deferred',
  blocked: () => 'an open bead blocks it',
  'back-off': ({ until, count }: Detail) =>
    `back-off until ${until?.toISOString()} after ${count} ${count === 1 ? 'failure' : 'failures'}`,
  'breaker-open': ({ until, count }: Detail) =>
    `the breaker is open until ${until?.toISOString()}: the last ${count} dispatches failed`,
  'breaker-half-open': () => 'the breaker is half-open: one other bead is tried first',
  'job-at-work': ({ job }: Detail) => `its job ${job} still runs`,
  stopping: () => 'the process has been told to end',
  'time-over': () => "the tick's time is over",
  'tick-full': () => 'MAX_DISPATCHES_PER_TICK is reached',
  'no-capacity': () => 'the agent service has no free capacity',
  'agent-service-away': () => 'the agent service does not answer',
  'in-flight': () => 'MAX_IN_FLIGHT is reached',
  'failures-in-a-row': ({ count }: Detail) => `${count} dispatches failed in a row in this tick`,
  'beadboard-busy': () => 'BeadBoard is busy',
} as const;

export type SkipCode = keyof typeof WORDS;
const isSkipCode = (name: string): name is SkipCode => name in WORDS;
export const SKIP_CODES: readonly SkipCode[] = Object.keys(WORDS).filter(isSkipCode);

/** A code, the words for it, and when it ends where that is known. */
export interface Reason {
  code: SkipCode;
  message: string;
  until?: Date;
}

/** A bead that is not dispatched, and why. */
export interface Skipped extends Reason {
  id: string;
}

/** The same for one bead. */
export const skip = (id: string, reason: Reason): Skipped => Object.assign({ id }, reason);

export function reasonOf(code: SkipCode, detail: Detail = {}): Reason {
  const { until } = detail;
  return { code, message: WORDS[code](detail), ...(until === undefined ? {} : { until }) };
}
