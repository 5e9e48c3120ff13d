import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

import { CloudEvent, HTTP } from 'cloudevents';
import * as z from 'zod';

import { errorMessage, NotACloudEventError } from '../runtime/errors.ts';
import { parseJson } from '../runtime/json.ts';
import { oneLine } from '../runtime/quote.ts';
import { headersOf } from '../runtime/server.ts';

const STRUCTURED = 'application/cloudevents+json';

/**
 * What CloudEvents 1.0 asks of the attributes. The SDK makes up an id that is missing, takes any
 * version for 1.0 and any text for a time, so that these are checked before it reads the event.
 */
const attributes = z.object({
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string().min(1),
  specversion: z.literal('1.0'),
  time: z.iso.datetime({ offset: true }).optional(),
});

/**
 * Whether the whole event is in the body; else its attributes are headers, and the body is its
 * data.
 */
export function isStructured(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith(STRUCTURED) === true;
}

/** A request as the framework hands it to a function: with a body of bytes, or none. */
export type EventRequest = IncomingMessage & { body?: unknown };

/**
 * Reads the CloudEvent of a request, strictly, with its data where that is JSON or text.
 * @throws {NotACloudEventError} as {@link readCloudEvent}.
 */
export function readRequest(request: EventRequest): { event: CloudEvent<unknown>; data: unknown } {
  const headers = headersOf(request);
  const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
  const parsed = parseJson(text);
  const event = readCloudEvent(headers, parsed);
  return { event, data: isStructured(headers) ? event.data : (parsed ?? text) };
}

/**
 * Whether a request is a bare wish for a tick, as OpenFaaS's cron-connector sends it: nothing in
 * the body, and not one attribute of a CloudEvent that could be wrong.
 */
export function isPlainPost({ body, headers }: EventRequest): boolean {
  const isEmpty = body === undefined || (Buffer.isBuffer(body) && body.length === 0);
  return isEmpty && !Object.keys(headers).some((name) => name.startsWith('ce-'));
}

/** An event's type, as it may be logged: whoever sends an event chooses it. */
export const typeForLog = ({ type }: { type: string }) => oneLine(type, TYPE_CHARACTERS);
const TYPE_CHARACTERS = 100;

/**
 * Reads the CloudEvent of a request, strictly.
 * @param headers names in lower case, as Node gives them.
 * @param body parsed JSON of a structured event; that of others is not looked at.
 * @throws {NotACloudEventError} says what is missing or wrong.
 */
export function readCloudEvent(headers: IncomingHttpHeaders, body: unknown): CloudEvent<unknown> {
  const structured = isStructured(headers);
  const checked = attributes.safeParse(structured ? body : attributesOf(headers));
  if (!checked.success) {
    const names = checked.error.issues.map(({ path }) => path.join('.')).join(', ');
    throw new NotACloudEventError(
      `not a CloudEvent 1.0: ${names || 'the body'} missing or not valid. Send it binary (ce-* headers) or structured (${STRUCTURED}).`,
    );
  }
  try {
    // The data is never looked at, so that whatever a binary event carries cannot stop a tick.
    const event = HTTP.toEvent({ headers, body: structured ? body : undefined });
    if (!(event instanceof CloudEvent)) throw new TypeError('a batch');
    event.validate();
    return event;
  } catch (error) {
    throw new NotACloudEventError(`not a CloudEvent 1.0: ${errorMessage(error)}`, { cause: error });
  }
}

function attributesOf(headers: IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(attributes.shape).map((name) => [name, headers[`ce-${name}`]]),
  );
}
