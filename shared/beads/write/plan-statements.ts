import type { ToCloudEvent } from '../../events/to-cloud-event.ts';
import type { Bead } from '../rows/bead.ts';
import { canHoldMarker } from '../rows/bead.ts';
import { formatMarker } from '../rows/claim-marker.ts';
import { followUpKey, followUpValue } from '../rows/follow-up.ts';
import { intentKey } from '../rows/intent.ts';
import { DELETE_LOCAL_SQL, INSERT_LOCAL_SQL } from '../rows/local-metadata.ts';
import { outboxKeys } from '../rows/outbox.ts';
import { statementsFor, updateValues, withoutForeignKeys } from '../rows/statements.ts';
import type { Schema } from '../schema/schema.ts';
import type { Row, Statement } from '../sql/connection.ts';
import { bdUpdate } from './bd-update.ts';
import type { Transition, TransitionPlan } from './change.ts';

/** A row as it was read in the transition's transaction, and what was planned on it. */
export interface PlannedRow {
  row: Row;
  labels: readonly string[];
  bead: Bead;
  plan: TransitionPlan;
  /** The server's time. */
  now: Date;
}

const EVENT_SQL = `
  INSERT INTO events (id, issue_id, event_type, actor, old_value, new_value)
  VALUES (?, ?, ?, ?, ?, ?)`;

/**
 * Makes the statements that carry a plan out: the bead's row, its lease, an `events` row and an
 * event in the outbox for each change. Pure.
 * @param idOf ids of the events, the same at each try.
 * @returns the statements, and the events as JSON.
 */
export function planStatements(
  { beadId, token, actor }: Transition,
  { row, labels, bead, plan, now }: PlannedRow,
  schema: Schema,
  toCloudEvent: ToCloudEvent,
  idOf: (index: number, count: number) => string,
): { writes: Statement[]; events: string[] } {
  const { changes, marker: name, about, intent, followUp } = plan;
  const statements = statementsFor(schema);
  const unique = canHoldMarker(row['metadata_type']) ? undefined : token;
  const { after, events } = bdUpdate(row, labels, changes, now, schema, unique);
  const marker =
    name === 'keep'
      ? undefined
      : formatMarker({ name, token, ...(about === undefined ? {} : { about }) });
  const isClaim = changes.some(({ to }) => to === 'in_progress');
  const writes: Statement[] = [
    ...withoutForeignKeys([
      statements.update,
      updateValues(schema, beadId, { ...after, marker, isClaim }),
    ]),
  ];
  const endsClaim = changes.some(({ to }) => to !== undefined);
  if (bead.lease !== undefined && endsClaim) writes.push([statements.deleteLease, [beadId]]);
  const newestKey = row['newest_key'];
  const keyOf = outboxKeys(
    String(row['server_time']),
    typeof newestKey === 'string' ? newestKey : null,
  );
  const json = events.flatMap(({ payload, type, oldValue, newValue }, index) => {
    const id = idOf(index, events.length);
    writes.push([EVENT_SQL, [id, beadId, type, actor, oldValue, newValue]]);
    if (payload === undefined) return [];
    const event = toCloudEvent({ ...payload, id, subject: beadId, at: now });
    writes.push([INSERT_LOCAL_SQL, [keyOf(index, id), event]]);
    return [event];
  });
  const done = [
    ...(intent !== undefined && 'forget' in intent ? [intentKey(intent.forget)] : []),
    ...(followUp !== undefined && 'end' in followUp ? [followUpKey(followUp.end)] : []),
  ];
  if (done.length > 0) writes.push([DELETE_LOCAL_SQL, [done]]);
  if (followUp !== undefined && 'begin' in followUp) {
    const value = followUpValue({ ...followUp.begin, at: now });
    writes.push([INSERT_LOCAL_SQL, [followUpKey(token), value]]);
  }
  return { writes, events: json };
}
