/** Where we differ from bd on purpose. Any other difference fails the test. */
export interface Deliberate {
  /** A place of a trace. */
  where: string;
  /** What we have there in place of what bd has. */
  ours: RegExp;
  /** The steps in which it is so; all, when there are none. */
  steps?: readonly string[];
  /** Number of the record in docs/decisions. */
  decision: number;
  why: string;
}

/** What `prepare` puts there, as Dolt shows it. */
const THEIRS = String.raw`"team": "a&b"`;
const MARKER = String.raw`[a-z-]+:<token>(:(<token>|[\w.-]+))?`;

export const DELIBERATE: readonly Deliberate[] = [
  {
    where: 'issues.metadata',
    ours: new RegExp(`^→ {(${THEIRS}, )?"beads_auto_dispatch": "${MARKER}"}$`),
    decision: 1,
    why: 'one key, the claim marker, holds the token that makes a claim unique',
  },
  {
    where: 'events.id',
    ours: /^(\+ <uuid v7>( \| )?)+$/,
    decision: 1,
    why: "the token is the id of the events row and of the CloudEvent; bd's own is random, or derived from the content since migration 51",
  },
  {
    where: 'issues.updated_at',
    // Untouched when the change before was made in this second, or in the one before.
    ours: /^(→ <time>, a second before the event|untouched)$/,
    decision: 2,
    why: 'one second back where there is no row_lock, so that a write in the same second meets a conflict',
  },
  {
    where: 'commit message',
    ours: /^(dispatch|reap): \w+( \w+)? <[a-z-]+>\n\nEvent-Id: <uuid v7>\nTrace-Id: <hash>$/,
    decision: 2,
    why: 'says which transition it was, of which event and of which trace',
  },
  {
    where: 'commit author',
    ours: /^beads-(dispatcher|reaper)$/,
    decision: 2,
    why: 'the actor, where bd always writes the same name',
  },
  {
    where: 'commits',
    ours: /^1$/,
    steps: ['given-up'],
    decision: 2,
    why: 'one for the last failure and the block, where bd makes two',
  },
  ...['key', 'value'].map((column) => ({
    where: `local_metadata.${column}`,
    ours: /^[+-] /,
    steps: ['claimed', 'dispatched', 'failed', 'given-up', 'unconfirmed', 'released'],
    decision: 5,
    why: 'the intent to post, until the outcome is on record, and an event until it is sent; out of history',
  })),
  ...['key', 'value'].map((column) => ({
    where: `local_metadata.${column}`,
    ours: /^- /,
    steps: ['reaped', 'reaped, with a lease'],
    decision: 21,
    why: 'the follow-up of the dispatch, which ends with the block; out of history',
  })),
  {
    where: 'rows of bd_events_journal',
    ours: /^1$/,
    steps: ['given-up'],
    decision: 12,
    why: 'one for the last failure and the block, where bd writes two',
  },
];

/** @returns the record that explains a difference, or `undefined` when it is none that we meant. */
export function deliberateFor(step: string, where: string, ours: string): Deliberate | undefined {
  return DELIBERATE.find(
    (deliberate) =>
      deliberate.where === where &&
      deliberate.ours.test(ours) &&
      (deliberate.steps?.includes(step) ?? true),
  );
}
