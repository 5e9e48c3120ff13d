/** Where we differ from bd on purpose. Any other difference fails the test. */
export interface Deliberate {
  /** A place of a trace. */
  where: string;
  /** Number of the record in docs/decisions. */
  decision: number;
  why: string;
}

export const DELIBERATE: readonly Deliberate[] = [
  {
    where: 'issues.metadata',
    decision: 1,
    why: 'one key of ours holds the token that makes a claim unique',
  },
  {
    where: 'events.id',
    decision: 1,
    why: "the token is the id of the events row and of the CloudEvent; bd's own is random, or derived from the content since migration 51",
  },
  ...['key', 'value'].map((column) => ({
    where: `local_metadata.${column}`,
    decision: 5,
    why: 'the intent to post, until the outcome is on record; out of history',
  })),
  {
    where: 'issues.updated_at',
    decision: 2,
    why: 'one second back, so that a write in the same second meets a conflict',
  },
  {
    where: 'commits',
    decision: 2,
    why: 'one for the last failure and the block, where bd makes two',
  },
  {
    where: 'commit message',
    decision: 2,
    why: 'says which step it was',
  },
  {
    where: 'commit author',
    decision: 2,
    why: 'the actor, where bd always writes the same name',
  },
  ...['seq', 'ts', 'op', 'issue_id', 'issue_json', 'dep_json', 'comment_json'].map((column) => ({
    where: `bd_events_journal.${column}`,
    decision: 12,
    why: 'one row for the last failure and the block, where bd writes two',
  })),
];
