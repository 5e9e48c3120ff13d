import * as z from 'zod';

/**
 * Every event this project emits: its name and the shape of its data. The one place that knows an
 * event type; what is sent is checked against it in the tests.
 */

/** Types are reverse DNS, past tense, with a version: `io.beads.dispatch.claimed.v1`. */
export const TYPE_PREFIX = 'io.beads.';

/** Title and ids, never the description, the prompt or an answer in full. */
const bead = z
  .object({
    id: z.string(),
    title: z.string(),
    priority: z.int().min(0).max(4).describe('0 is the most urgent, 4 the least.'),
  })
  .describe('The bead, as it was before the change.');
const attempt = z
  .int()
  .min(1)
  .describe('Counted from 1 since a person last reopened or reassigned the bead.');
const jobId = z.string().describe("The agent service's id of the job.");

/** Codes, since an answer may hold anything. */
const failure = z
  .enum(['refused', 'busy', 'unreachable'])
  .describe('refused: BeadBoard said no. busy: it had no room. unreachable: no connection to it.');
const doubt = z
  .enum(['no-answer', 'unclear-answer', 'dispatcher-died'])
  .describe(
    'no-answer: the connection broke or the time ran out. unclear-answer: it was neither yes nor no. dispatcher-died: it ended before the answer was on record.',
  );
export type FailureReason = z.output<typeof failure>;
export type DoubtReason = z.output<typeof doubt>;

const due = {
  reason: z
    .enum(['changed', 'unchanged'])
    .describe(
      'changed: beads became ready, or room became free. unchanged: they still are, so it is asked again, more and more rarely.',
    ),
  beads: z.int().min(0).describe('How many beads there are to do something with.'),
};

export const EVENT_DATA = {
  'dispatch.claimed.v1': z
    .object({ bead, attempt })
    .describe('The claim of a bead is committed; it is about to be handed to BeadBoard.'),
  'dispatch.dispatched.v1': z
    .object({ bead, attempt, jobId })
    .describe('BeadBoard took the bead and named the job that works on it.'),
  'dispatch.failed.v1': z
    .object({
      bead,
      attempt,
      reason: failure,
      httpStatus: z
        .int()
        .min(100)
        .max(599)
        .nullable()
        .describe('Of the answer; null when there was none.'),
      nextAttemptAt: z.iso
        .datetime()
        .nullable()
        .describe('No sooner than this, in UTC; null when there is no further attempt.'),
    })
    .describe('BeadBoard certainly did not take the bead; without a next attempt it is given up.'),
  'dispatch.unconfirmed.v1': z
    .object({ bead, attempt, reason: doubt })
    .describe('The answer was lost, so an agent may or may not be at work; the claim is kept.'),
  'dispatch.blocked.v1': z
    .object({ bead, attempts: attempt })
    .describe('All attempts are spent; the bead is blocked until a person looks at it.'),
  'dispatch.completed.v1': z
    .object({
      bead,
      attempt,
      jobId,
      dispatchId: z.string().describe('The id of the `dispatch.dispatched.v1` that this ends.'),
      outcome: z
        .enum(['closed', 'blocked', 'reopened', 'taken-over', 'deleted'])
        .describe('taken-over: assigned to somebody else while in progress.'),
      status: z.string().nullable().describe('Of the bead now; null when it was deleted.'),
      by: z
        .string()
        .nullable()
        .describe("Who did it, as bd's history says; null when it does not say."),
      seconds: z.int().min(0).describe('From the dispatch to the end.'),
    })
    .describe('A dispatched bead has left in progress, by the hand of its agent or of a person.'),
  'breaker.opened.v1': z
    .object({
      until: z.iso.datetime().describe('When one bead is tried again, in UTC.'),
      failures: z.int().min(1).describe('In a row, over all beads.'),
      beads: z.array(z.string()).describe('The ids of the beads that failed.'),
    })
    .describe('Dispatches keep failing, so that none is tried for some time.'),
  'breaker.closed.v1': z
    .object({ seconds: z.int().min(0).describe('Since it opened.') })
    .describe('A dispatch went well again, or the failures are a day old.'),
  'reap.blocked.v1': z
    .object({
      bead,
      ageMinutes: z.int().min(0).describe('Whole minutes since the bead was last updated.'),
      thresholdMinutes: z
        .int()
        .min(1)
        .describe('REAP_AFTER_MINUTES, or 2 for a bead whose job has ended.'),
      jobId: jobId.nullable(),
      jobState: z
        .string()
        .nullable()
        .describe('What the agent service said of the job; null when it was not asked.'),
    })
    .describe('A bead in progress was not updated for too long and is blocked.'),
  'reap.released.v1': z
    .object({
      bead,
      reason: z
        .enum(['dispatcher-died', 'withdrawn'])
        .describe(
          'dispatcher-died: it ended before it asked anybody. withdrawn: the claim could not be confirmed, so that nobody was asked.',
        ),
    })
    .describe('A bead was claimed and nobody was asked to work on it; it is given back.'),
  'tick.failed.v1': z
    .object({
      function: z.string().describe('dispatch or reap.'),
      code: z.string().describe('Stable, for example DATABASE_UNREACHABLE.'),
      message: z.string().describe('What an operator should look at.'),
    })
    .describe('A tick could not look or could not finish.'),
  'dispatch.due.v1': z.object(due).describe('There is something to dispatch: a tick is asked for.'),
  'reap.due.v1': z.object(due).describe('There is something to reap: a tick is asked for.'),
} as const satisfies Record<string, z.ZodObject>;

export type EventName = keyof typeof EVENT_DATA;

export const EVENT_NAMES: readonly EventName[] = z.object(EVENT_DATA).keyof().options;

/** What happened: the event's name with the data that belongs to it. */
export type EventPayload = {
  [N in EventName]: { name: N; data: z.output<(typeof EVENT_DATA)[N]> };
}[EventName];

/** Whether data is what the event of that name holds. */
export function isEventPayload(value: { name: EventName; data: unknown }): value is EventPayload {
  return EVENT_DATA[value.name].safeParse(value.data).success;
}

/** Something that happened and is committed, not yet a CloudEvent. */
export type AuditEvent = EventPayload & {
  /** The same on every delivery. */
  id: string;
  /** The bead's id, or the function's name. */
  subject: string;
  at: Date;
};

export const typeOf = (name: EventName) => `${TYPE_PREFIX}${name}`;

/** @returns a stable URI that ends in the schema's file name. */
export const dataSchemaOf = (name: EventName) =>
  `urn:beads-auto-dispatch:events/${typeOf(name)}.schema.json`;
