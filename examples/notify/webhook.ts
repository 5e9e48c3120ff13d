import type { CloudEvent } from 'cloudevents';

import { call } from '../../shared/runtime/http.ts';
import type { Message } from './message.ts';
import type { NotifySettings } from './settings.ts';

/** A chat server answers within a second; a broker waits for this long without harm. */
const TIMEOUT_MS = 10_000;

type Target = Pick<NotifySettings, 'NOTIFY_URL' | 'NOTIFY_FORMAT' | 'NOTIFY_TOKEN'>;

/**
 * Sends one message.
 * @throws when it was not taken; the message never holds the path or the token, which are secrets.
 */
export async function send(
  message: Message,
  event: CloudEvent<unknown>,
  { NOTIFY_URL, NOTIFY_FORMAT, NOTIFY_TOKEN }: Target,
): Promise<void> {
  const { url, body } = requestOf(message, event, NOTIFY_URL, NOTIFY_FORMAT);
  const authorization =
    NOTIFY_TOKEN === undefined ? {} : { authorization: `Bearer ${NOTIFY_TOKEN}` };
  const { status } = await call({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify(body),
    timeoutMs: TIMEOUT_MS,
  });
  if (status < 200 || status >= 300) {
    throw new Error(`the ${NOTIFY_FORMAT} webhook answered HTTP ${status}; check NOTIFY_URL`);
  }
}

/** What each kind of webhook expects. Pure. */
export function requestOf(
  { title, text, urgent }: Message,
  {
    id,
    type,
    source,
    subject,
    time,
  }: Pick<CloudEvent, 'id' | 'type' | 'source' | 'subject' | 'time'>,
  address: string,
  format: NotifySettings['NOTIFY_FORMAT'],
): { url: string; body: object } {
  switch (format) {
    case 'ntfy': {
      // As JSON it is posted to the server, with the topic inside: headers would not carry ü and —.
      const url = new URL(address);
      const path = url.pathname.replace(/\/+$/, '');
      const topic = path.slice(path.lastIndexOf('/') + 1);
      url.pathname = path.slice(0, path.lastIndexOf('/') + 1);
      const priority = urgent ? NTFY_HIGH : NTFY_DEFAULT;
      return { url: url.href, body: { topic, title, message: text, priority, tags: ['beads'] } };
    }
    case 'slack':
      return { url: address, body: { text: `*${slackText(title)}*\n${slackText(text)}` } };
    case 'json':
      return {
        url: address,
        body: { title, text, urgent, event: { id, type, source, subject, time } },
      };
  }
}

/** ntfy's priorities go from 1 to 5. */
const NTFY_HIGH = 4;
const NTFY_DEFAULT = 3;

/** The three characters that Slack's markup takes for its own. */
function slackText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
