import type { CloudEvent } from 'cloudevents';

import { isEventPayload, typeOf, type EventPayload } from '../../shared/events/event-types.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { Once } from '../once.ts';
import { UnusableEventError } from '../subscriber.ts';
import { notificationFor } from './message.ts';
import type { NotifySettings } from './settings.ts';
import { send } from './webhook.ts';

/**
 * A tick fails every few minutes while its cause lasts; a person wants to hear of that once an
 * hour.
 */
const SAME_FAILURE_MS = 3_600_000;

const MS_PER_HOUR = 3_600_000;

/** Makes a message of each event that is asked for, once. */
export function notifier(settings: NotifySettings, log: Logger) {
  const once = new Once();
  const failures = new Map<string, number>();

  return async (event: CloudEvent<unknown>, data: unknown): Promise<void> => {
    const name = settings.NOTIFY_EVENTS.find((each) => typeOf(each) === event.type);
    if (name === undefined) return;
    const ageMs = Date.now() - Date.parse(event.time ?? '');
    if (ageMs > settings.NOTIFY_MAX_AGE_HOURS * MS_PER_HOUR) {
      log.info({ id: event.id, type: event.type, time: event.time }, 'too old to tell anybody');
      return;
    }
    const fact = { name, data };
    if (!isEventPayload(fact)) throw new UnusableEventError(`its data is not as ${name} says`);
    await once.handle(event, async () => {
      if (isToldAlready(fact)) return;
      await send(notificationFor(fact), event, settings);
      log.info({ id: event.id, type: event.type, subject: event.subject }, 'notified');
      if (fact.name === 'tick.failed.v1') failures.set(failureKey(fact.data), Date.now());
    });
  };

  function isToldAlready(fact: EventPayload): boolean {
    if (fact.name !== 'tick.failed.v1') return false;
    const toldAt = failures.get(failureKey(fact.data)) ?? Number.NEGATIVE_INFINITY;
    return Date.now() - toldAt < SAME_FAILURE_MS;
  }
}

const failureKey = (data: { function: string; code: string }) => `${data.function} ${data.code}`;
