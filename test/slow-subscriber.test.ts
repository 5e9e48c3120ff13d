import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { expectAudited, unsentCount } from './world/audit.ts';
import { BrokerStandIn, type Trigger } from './world/broker.ts';
import { FunctionProcess } from './world/function.ts';
import { HttpStandIn, type Reply } from './world/http-stand-in.ts';
import { Scene } from './world/scene.ts';

const BEADS = 5;

/** A broker that answers its sender only after the last retry of the last subscriber. */
describe('with one subscriber that is down', () => {
  let scene: Scene;
  let broker: BrokerStandIn;
  let dispatch: FunctionProcess;
  let healthy: HttpStandIn;
  let failing: HttpStandIn;
  let received: string[];
  let fail: () => Reply | Promise<Reply>;
  beforeEach(async () => {
    scene = await Scene.open();
    broker = new BrokerStandIn();
    received = [];
    healthy = await HttpStandIn.start(({ headers }) => {
      received.push(String(headers['ce-id']));
      return { status: 204 };
    });
    failing = await HttpStandIn.start(() => fail());
    scene.sink.onTaken = async (event, exchange) => await broker.deliver(event, exchange);
    dispatch = await FunctionProcess.start('dispatch', scene.environment());
    for (let n = 0; n < BEADS; n += 1) {
      await scene.tracker.create(`code-${n}`, { assignee: 'agent' });
    }
  });
  afterEach(async () => {
    await dispatch.stop();
    await Promise.all([healthy.stop(), failing.stop()]);
    await scene.close();
  });

  const subscribe = (delivery?: Trigger['delivery']) => {
    const all = () => true;
    broker.triggers.push(
      { url: healthy.url, filter: all },
      { url: failing.url, filter: all, ...(delivery === undefined ? {} : { delivery }) },
    );
  };
  const untilSent = async () => {
    while ((await unsentCount(scene.tracker)) > 0) await new Promise(setImmediate);
  };

  it('a tick does not wait for a subscriber that hangs, and the others get each event once', async () => {
    const mayFail = Promise.withResolvers<void>();
    fail = async () => {
      await mayFail.promise;
      return { status: 500 };
    };
    // Without a time-out the broker answers nothing until the subscriber does.
    subscribe({ retry: 0, backoffMs: 0 });
    expect(await dispatch.tick()).toBe(204);
    // And neither does the next one, which has the same events in its outbox.
    expect(await dispatch.tick()).toBe(204);
    expect(scene.board.posts).toHaveLength(BEADS);
    expect(received.toSorted()).toEqual([...new Set(received)].toSorted());
    expect(received).toHaveLength(2 * BEADS);
    expect(broker.deadLetters).toHaveLength(0);

    mayFail.resolve();
    await untilSent();
    expect(broker.deadLetters).toHaveLength(2 * BEADS);
    expect(broker.dropped).toBe(0);
    expect(received).toHaveLength(2 * BEADS);
    await expectAudited(scene);
  });

  it.each<[string, Reply]>([
    ['answers 500', { status: 500 }],
    ['hangs', 'silence'],
  ])('the events of a subscriber that %s reach the dead letters', async (how, reply) => {
    fail = () => reply;
    subscribe();
    const startedAt = performance.now();
    expect(await dispatch.tick()).toBe(204);
    const tickMs = performance.now() - startedAt;
    await untilSent();
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(
      `a subscriber that ${how}: tick ${Math.round(tickMs)} ms, dead letters after ${seconds.toFixed(1)} s`,
    );
    expect(broker.deadLetters).toHaveLength(2 * BEADS);
    expect(broker.dropped).toBe(0);
    expect(received).toHaveLength(2 * BEADS);
    await expectAudited(scene);
  });
});
