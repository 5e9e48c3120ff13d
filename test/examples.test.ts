import { appendFile, readFile } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { FunctionProcess } from './world/function.ts';
import { HttpStandIn, type Exchange, type Reply } from './world/http-stand-in.ts';
import { Scene } from './world/scene.ts';
import { Subscribers } from './world/subscribers.ts';

/**
 * The examples as processes: what comes of real events, of repeated ones, and of webhooks that
 * fail.
 */
describe('the subscribers', () => {
  let scene: Scene;
  let subscribers: Subscribers;
  beforeEach(async () => {
    scene = await Scene.open();
    subscribers = await Subscribers.start(scene.sink);
  });
  afterEach(async () => {
    await subscribers.stop();
    await scene.close();
  });

  it('the notifier reports what needs a person, and the audit log keeps every event', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent', title: 'Über <b> & "c"' });
    await scene.dispatch();
    await scene.tracker.age('code-a1', 45);
    await scene.reap();

    expect(subscribers.ntfy.messages).toEqual([
      {
        topic: 'beads',
        title: 'code-a1 stalled and is blocked',
        message:
          'Über <b> & "c"\nNo progress for 45 minutes. To try again: bd update code-a1 -s open',
        priority: 4,
      },
    ]);
    const lines = (await readFile(subscribers.file, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      scene.sink.events.map((event) => ({
        ...event.toJSON(),
        datacontenttype: 'application/json',
      })),
    );
    expect(subscribers.broker.deadLetters).toEqual([]);
  });

  it('the subscribers accept a repeated event without a second effect, also after a restart', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    scene.board.onPost = () => 'hangup';
    await scene.dispatch();
    const before = await readFile(subscribers.file, 'utf8');
    const [claimed, unconfirmed] = scene.sink.events;
    if (claimed === undefined || unconfirmed === undefined) throw new Error('two events expected');

    for (const event of [claimed, unconfirmed]) {
      expect(await deliver(subscribers.auditLog, event.toJSON())).toBe(204);
      expect(await deliver(subscribers.notify, event.toJSON())).toBe(204);
    }
    // What a process left that died while it wrote.
    await appendFile(subscribers.file, '{"half of a li');
    const restarted = await FunctionProcess.start('audit-log', {
      AUDIT_LOG_FILE: subscribers.file,
    });
    expect(await deliver(restarted, claimed.toJSON())).toBe(204);
    expect(await deliver(restarted, { ...claimed.toJSON(), id: 'another' })).toBe(204);
    await restarted.stop();

    const after = await readFile(subscribers.file, 'utf8');
    expect(after).not.toContain('half of a li');
    const lines = after.trimEnd().split('\n');
    expect(after.startsWith(before)).toBe(true);
    expect(lines).toHaveLength(before.trimEnd().split('\n').length + 1);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ id: 'another' });
    expect(subscribers.ntfy.messages).toHaveLength(1);
  });

  it('the notifier answers with an empty body, and with 400 to an invalid event', async () => {
    const event = {
      specversion: '1.0',
      id: '1',
      source: '/beads/code/dispatch',
      type: 'io.beads.dispatch.blocked.v1',
    };
    for (const [data, status] of [
      [{ bead: { id: 'code-a1', title: 'A bead', priority: 1 }, attempts: 5 }, 204],
      [{ nonsense: true }, 400],
      [undefined, 400],
    ] as const) {
      const answer = await send(subscribers.notify, { ...event, id: String(status), data });
      expect(answer.status).toBe(status);
      expect(await answer.text()).toBe('');
    }
    expect(await deliver(subscribers.notify, { ...event, type: 'com.example.other' })).toBe(204);
    expect(await deliver(subscribers.notify, { nonsense: true })).toBe(400);
    expect(subscribers.ntfy.messages).toHaveLength(1);
  });
});

describe('the notifier', () => {
  const event = {
    specversion: '1.0',
    id: '1',
    source: '/beads/code/dispatch',
    subject: 'code-a1',
    type: 'io.beads.dispatch.blocked.v1',
    data: { bead: { id: 'code-a1', title: 'a < b & c', priority: 1 }, attempts: 5 },
  };
  let requests: Exchange[];
  let reply: Reply;
  let webhook: HttpStandIn;
  let notify: FunctionProcess | undefined;
  beforeEach(async () => {
    requests = [];
    reply = { status: 200, text: 'ok' };
    webhook = await HttpStandIn.start((exchange) => {
      requests.push(exchange);
      return reply;
    });
  });
  afterEach(async () => {
    await notify?.stop();
    await webhook.stop();
  });
  const start = async (settings: Record<string, string>) => {
    notify = await FunctionProcess.start('notify', {
      NOTIFY_URL: `${webhook.url}/hook/s3cret`,
      ...settings,
    });
    return notify;
  };

  it('the notifier posts messages in the format of Slack', async () => {
    const slack = await start({ NOTIFY_FORMAT: 'slack' });
    await deliver(slack, event);
    expect(requests[0]?.path).toBe('/hook/s3cret');
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({
      text: '*code-a1 is blocked*\na &lt; b &amp; c\nGiven up after 5 attempts. When the cause is gone: bd update code-a1 -s open',
    });
  });

  it('the notifier posts JSON to any webhook with a bearer token', async () => {
    const plain = await start({ NOTIFY_TOKEN: 'hunter2' });
    await deliver(plain, event);
    expect(requests[0]?.headers.authorization).toBe('Bearer hunter2');
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({
      title: 'code-a1 is blocked',
      urgent: true,
      event: { id: '1', subject: 'code-a1' },
    });
  });

  it('the notifier asks for redelivery when the webhook fails, and logs neither its address nor its token', async () => {
    const failing = await start({ NOTIFY_TOKEN: 'hunter2' });
    reply = { status: 500 };
    expect(await deliver(failing, event)).toBe(503);
    reply = { status: 200 };
    expect(await deliver(failing, event)).toBe(204);
    expect(await deliver(failing, event)).toBe(204);
    expect(requests).toHaveLength(2);
    await failing.stop();
    expect(failing.output).toContain('HTTP 500');
    expect(failing.output).not.toMatch(/s3cret|hunter2/);
  });

  it('the notifier sends only selected events, and the same tick failure at most once an hour', async () => {
    const chosen = await start({ NOTIFY_EVENTS: 'tick.failed.v1, dispatch.claimed.v1' });
    const failed = (id: string, code: string) => ({
      ...event,
      id,
      type: 'io.beads.tick.failed.v1',
      subject: 'dispatch',
      data: { function: 'dispatch', code, message: 'Look at the database.' },
    });
    await deliver(chosen, event);
    await deliver(chosen, failed('2', 'DATABASE_UNREACHABLE'));
    await deliver(chosen, failed('3', 'DATABASE_UNREACHABLE'));
    await deliver(chosen, failed('4', 'BEADBOARD_UNAVAILABLE'));
    expect(requests.map(({ body }) => JSON.parse(body).event.id)).toEqual(['2', '4']);
  });

  it.each([
    [{ NOTIFY_URL: '' }, 'NOTIFY_URL is not set; it takes an http or https address'],
    [
      { NOTIFY_URL: 'ftp://s3cret' },
      'NOTIFY_URL is set to something that is not shown; it takes an http or https address',
    ],
    [{ NOTIFY_EVENTS: 'all' }, 'NOTIFY_EVENTS is "all"; it takes a comma-separated list of'],
  ])(
    'the notifier exits at once with one line when a setting is invalid: %j',
    async (settings, line) => {
      await expect(start(settings)).rejects.toThrow(line);
    },
  );
});

describe('the audit log', () => {
  it('the audit log exits at once with one line when its file cannot be written', async () => {
    await expect(
      FunctionProcess.start('audit-log', { AUDIT_LOG_FILE: '/no/such/folder/x' }),
    ).rejects.toThrow('AUDIT_LOG_FILE is "/no/such/folder/x"; it takes a file that can be written');
  });

  it('the audit log goes to stdout when no file is set', async () => {
    const toStdout = await FunctionProcess.start('audit-log', {});
    expect(await deliver(toStdout, { specversion: '1.0', id: '7', source: '/x', type: 'y' })).toBe(
      204,
    );
    await toStdout.stop();
    expect(toStdout.log.at(-1)).toMatchObject({ event: { id: '7' } });
  });
});

/** One delivery, in structured mode. */
async function send(to: FunctionProcess, event: object): Promise<Response> {
  return await to.send({ 'content-type': 'application/cloudevents+json' }, JSON.stringify(event));
}

async function deliver(to: FunctionProcess, event: object): Promise<number> {
  return (await send(to, event)).status;
}
