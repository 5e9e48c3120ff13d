import { traceIdOf } from '../runtime/trace.ts';
import { dataSchemaOf, typeOf, type AuditEvent } from './event-types.ts';

/**
 * Makes the CloudEvent of something that happened, as JSON: what the outbox keeps, once and for
 * all.
 */
export interface ToCloudEvent {
  (event: AuditEvent): string;
  /** Of the tick that these events belong to. */
  readonly traceId: string;
}

/** Where the events of one tick come from. */
export interface Origin {
  /** `/beads/<project>`; the function is added to it. */
  project: string;
  /** The function whose tick this is. */
  function: string;
  /** W3C trace context of the tick. */
  traceparent: string;
  /** Extensions of a SinkBinding, put on every event. */
  extensions: Readonly<Record<string, string>>;
}

/**
 * @returns an envelope whose result is a CloudEvent 1.0 in JSON format. It is made in the
 *   transition's transaction, so that every delivery of one event is the same to the last byte.
 */
export function toCloudEventFrom(origin: Origin): ToCloudEvent {
  const { project, function: tick, traceparent, extensions } = origin;
  const toJson = ({ id, name, subject, at, data }: AuditEvent): string => {
    // A dispatch tick may recover what is the reaper's; the source names the one whose transition
    // it is.
    const owner = 'bead' in data ? name.split('.')[0] : tick;
    return JSON.stringify({
      ...extensions,
      specversion: '1.0',
      id,
      type: typeOf(name),
      source: `${project}/${owner}`,
      subject,
      time: at.toISOString(),
      datacontenttype: 'application/json',
      dataschema: dataSchemaOf(name),
      partitionkey: subject,
      traceparent,
      data,
    });
  };
  return Object.assign(toJson, { traceId: traceIdOf(traceparent) });
}
