import * as z from 'zod';

import { EVENT_NAMES, type EventName } from '../../shared/events/event-types.ts';
import { logLevel, secret, whole } from '../../shared/settings/variables.ts';

/** What a person wants to hear of: that work is done, and whatever needs them. */
const DEFAULT_EVENTS: readonly EventName[] = [
  'dispatch.blocked.v1',
  'dispatch.unconfirmed.v1',
  'dispatch.completed.v1',
  'breaker.opened.v1',
  'breaker.closed.v1',
  'reap.blocked.v1',
  'tick.failed.v1',
];

/** The settings of the notifier, from the environment. */
export const notifyVariables = z.object({
  NOTIFY_URL: secret(
    z.url({ protocol: /^https?$/, error: 'an http or https address' }),
    'Where messages go: a topic of ntfy, an incoming webhook of Slack, any webhook. From a Secret.',
  ),
  NOTIFY_FORMAT: z
    .enum(['ntfy', 'slack', 'json'], { error: 'ntfy, slack or json' })
    .default('json')
    .describe('What is expected there. `slack` suits Mattermost and Rocket.Chat, too.'),
  NOTIFY_TOKEN: secret(
    z.string().min(1).optional(),
    'Bearer token, where one is needed. From a Secret.',
  ),
  NOTIFY_EVENTS: z
    .string()
    .default(DEFAULT_EVENTS.join(','))
    .transform((value) => value.split(',').map((name) => name.trim()))
    .pipe(
      z.array(
        z.enum(EVENT_NAMES, { error: `a comma-separated list of ${EVENT_NAMES.join(', ')}` }),
      ),
    )
    .describe('The events that become messages, without `io.beads.`.'),
  NOTIFY_MAX_AGE_HOURS: whole(1, 8_760)
    .default(24)
    .describe(
      'Older events become no message: an outbox that had no sink for long brings all of them at once.',
    ),
  LOG_LEVEL: logLevel,
});

export type NotifySettings = z.output<typeof notifyVariables>;
