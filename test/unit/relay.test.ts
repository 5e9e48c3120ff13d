import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { toCloudEventFrom } from '../../shared/events/to-cloud-event.ts';
import type { UnsentEvent } from '../../shared/events/outbox-port.ts';
import { Relay } from '../../shared/events/relay.ts';
import { Sink } from '../../shared/events/sink.ts';
import { outboxKeys } from '../../shared/beads/rows/outbox.ts';
import { DatabaseUnreachableError } from '../../shared/runtime/errors.ts';
import { traceOf } from '../../shared/runtime/trace.ts';
import { SinkStandIn } from '../world/sink.ts';

const NOW = new Date('2026-11-21T12:00:00.000Z');
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const extensions = { team: 'platform' };
const origin = { project: '/beads/code', function: 'dispatch', traceparent, extensions };
const envelope = toCloudEventFrom(origin);

const unsent = (key: string, event: string, secondsAgo = 0): UnsentEvent => ({
  key,
  event,
  ageMs: secondsAgo * 1000,
  tries: 0,
  readAt: NOW,
});

/** The outbox without a database: the same promises, in an array. */
class MemoryOutbox {
  readonly unsent: UnsentEvent[] = [];
  isTaken = false;
  isClosed = false;

  /** @returns the id of the event. */
  record(bead: string, secondsAgo = 0): string {
    const n = String(this.unsent.length + 1).padStart(4, '0');
    const at = new Date(NOW.getTime() - secondsAgo * 1000);
    const data = { bead: { id: bead, title: 'A bead', priority: 2 }, attempt: 1 };
    const event = envelope({ id: n, name: 'dispatch.claimed.v1', subject: bead, at, data });
    this.unsent.push(unsent(n, event, secondsAgo));
    return n;
  }

  take = async () => !this.isTaken;
  giveBack = async () => {};
  read = async (limit: number) => this.unsent.slice(0, limit);
  remove = async (keys: readonly string[]) => {
    const kept = this.unsent.filter(({ key }) => !keys.includes(key));
    this.unsent.splice(0, this.unsent.length, ...kept);
  };
  readonly parked: string[] = [];
  park = async ({ key, tries }: UnsentEvent) => {
    await this.remove([key]);
    this.parked.push(key);
    return { tries: tries + 1, retryAt: NOW };
  };
  readonly away: string[] = [];
  noteAway = async (problem: string) => {
    this.away.push(problem);
  };
  close = () => {
    this.isClosed = true;
  };
}

describe('the relay', () => {
  let standIn: SinkStandIn;
  let outbox: MemoryOutbox;
  let lines: Record<string, unknown>[];
  beforeEach(async () => {
    standIn = await SinkStandIn.start();
    outbox = new MemoryOutbox();
    lines = [];
  });
  afterEach(() => standIn.stop());

  function relayTo(url: string | undefined = standIn.url): Relay {
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const sink = url === undefined ? undefined : new Sink(url);
    return new Relay({ sink, openOutbox: async () => outbox, log });
  }

  /** The relay of one tick, from its first word to its end. */
  async function tick(): Promise<void> {
    const relay = relayTo();
    relay.wake();
    await relay.finish();
  }

  const sent = () => standIn.events.map(({ id }) => id);

  it('the relay sends recorded events, the oldest of each bead first, and closes its connection', async () => {
    for (let n = 0; n < 250; n += 1) outbox.record(`code-${n % 3}`);
    await tick();

    expect(outbox.unsent).toEqual([]);
    expect(standIn.deliveries).toHaveLength(250);
    for (const bead of ['code-0', 'code-1', 'code-2']) {
      const ids = standIn.events.filter(({ subject }) => subject === bead).map(({ id }) => id);
      expect(ids).toEqual(ids.toSorted());
    }
    expect(outbox.isClosed).toBe(true);
  });

  it('the relay parks a refused event, logs it once and sends all others, also those of its bead', async () => {
    const refused = outbox.record('code-a');
    const behind = outbox.record('code-a');
    const other = outbox.record('code-b');
    standIn.onDelivery = ({ id }) => (id === refused ? { status: 400 } : undefined);
    await tick();

    expect(sent().toSorted()).toEqual([behind, other]);
    expect(outbox.unsent).toEqual([]);
    expect(outbox.parked).toEqual([refused]);
    expect(lines).toMatchObject([
      { id: refused, subject: 'code-a', problem: 'HTTP 400', tries: 1 },
    ]);
    expect(lines[0], 'what happened to the bead is not repeated').not.toHaveProperty('event');
  });

  it('the relay sends all other events despite forty refused ones', async () => {
    const bad = new Set(Array.from({ length: 40 }, (_, n) => outbox.record(`bad-${n}`)));
    for (let n = 0; n < 30; n += 1) outbox.record(`good-${n}`);
    standIn.onDelivery = ({ id }) => (bad.has(id) ? { status: 500 } : undefined);
    await tick();
    expect(sent()).toHaveLength(30);
    expect(outbox.unsent).toEqual([]);
    expect(outbox.parked.toSorted()).toEqual([...bad].toSorted());
  });

  it('the relay sends the next event of a bead before the previous one is answered', async () => {
    const slow = outbox.record('code-a');
    const next = outbox.record('code-a');
    const isAnswered = Promise.withResolvers<void>();
    standIn.onDelivery = async ({ id }) => {
      if (id === next) isAnswered.resolve();
      if (id === slow) await isAnswered.promise;
      return undefined;
    };
    await tick();
    expect(sent()).toEqual([next, slow]);
    expect(outbox.unsent).toEqual([]);
  });

  it('the relay lets a tick continue after one second, and removes what the sink takes later', async () => {
    const slow = outbox.record('code-a');
    const mayAnswer = Promise.withResolvers<void>();
    standIn.onDelivery = async () => {
      await mayAnswer.promise;
      return undefined;
    };
    const relay = relayTo();
    relay.wake();
    await relay.flush();
    expect(outbox.unsent).toHaveLength(1);
    // A later tick of the same process does not send it a second time.
    relay.wake();
    await relay.flush();
    mayAnswer.resolve();
    await relay.finish();
    expect(standIn.deliveries).toEqual([slow]);
    expect(outbox.unsent).toEqual([]);
  });

  it('the relay does not send an event again that it could not remove', async () => {
    outbox.record('code-a');
    outbox.remove = async (keys) => {
      if (keys.length > 0) throw new DatabaseUnreachableError('it stalls');
    };
    const relay = relayTo();
    for (let n = 0; n < 3; n += 1) {
      relay.wake();
      await relay.finish();
    }
    expect(standIn.deliveries).toHaveLength(1);
    expect(lines.map(({ code }) => code)).toContain('DATABASE_UNREACHABLE');
  });

  for (const reply of [
    { status: 503 },
    { status: 502 },
    { status: 404 },
    { status: 429 },
    { status: 302 },
    'hangup',
  ] as const) {
    const name = typeof reply === 'string' ? reply : `HTTP ${reply.status}`;
    it(`the relay leaves a sink alone for the rest of the tick after ${name}, and retries in the next tick`, async () => {
      const first = outbox.record('code-a');
      standIn.reply = reply;
      const relay = relayTo();
      relay.wake();
      await relay.finish();
      standIn.reply = { status: 202 };
      const second = outbox.record('code-a');
      relay.wake(['{}']);
      await relay.finish();
      expect(sent()).toEqual([]);
      expect(lines).toHaveLength(1);

      relay.wake();
      await relay.finish();
      expect(lines.at(-1)?.['msg']).toBe('the sink is back, and the outbox is empty');
      expect(sent()).toEqual([first, second]);
      expect(outbox.unsent).toEqual([]);
    });
  }

  it('the relay leaves the outbox to another active relay unless an event has waited ten minutes', async () => {
    outbox.isTaken = true;
    outbox.record('code-a', 599);
    await tick();
    expect(sent()).toEqual([]);

    outbox.unsent.length = 0;
    outbox.record('code-b', 600);
    await tick();
    expect(sent()).toHaveLength(1);
  });

  it('the relay parks an entry that is no CloudEvent, logs it and sends the rest', async () => {
    outbox.unsent.push(unsent('0000', 'nonsense'));
    const good = outbox.record('code-a');
    await tick();
    expect(sent()).toEqual([good]);
    expect(outbox.parked).toEqual(['0000']);
    expect(lines[0]?.['problem']).toContain('no CloudEvent');
  });

  it('the relay without a sink logs each event once and opens no outbox', async () => {
    const relay = new Relay({
      sink: undefined,
      openOutbox: () => {
        throw new Error('not wanted');
      },
      log: pino({}, { write: (line: string) => lines.push(JSON.parse(line)) }),
    });
    outbox.record('code-a');
    relay.wake([outbox.unsent[0]?.event ?? '']);
    relay.wake();
    await relay.finish();
    expect(lines.map(({ event }) => event)).toMatchObject([{ subject: 'code-a' }]);
  });

  it('the relay sends in binary mode and percent-encodes what a header cannot carry', async () => {
    outbox.record('cödé "1"%');
    let headers: Record<string, unknown> = {};
    standIn.onDelivery = (event) => {
      headers = event.toJSON();
      return undefined;
    };
    await tick();
    expect(headers).toMatchObject({
      subject: 'c%C3%B6d%C3%A9%20%221%22%25',
      partitionkey: 'c%C3%B6d%C3%A9%20%221%22%25',
      type: 'io.beads.dispatch.claimed.v1',
      source: '/beads/code/dispatch',
      traceparent,
      team: 'platform',
    });
  });

  it('the relay sends an event without an outbox once, and logs it when the sink does not take it', async () => {
    const data = { function: 'reap', code: 'X', message: 'no' };
    const failed = (id: string) =>
      envelope({ id, name: 'tick.failed.v1', subject: 'reap', at: NOW, data });
    const relay = relayTo();
    for (let n = 0; n < 6; n += 1) relay.sendNow(failed('1'));
    await relay.finish();
    standIn.reply = { status: 503 };
    relay.sendNow(failed('2'));
    await relay.finish();
    expect(standIn.deliveries).toEqual(['1']);
    expect(lines.map(({ event }) => event)).toMatchObject([{ id: '2' }]);
  });
});

describe('the trace', () => {
  it('a tick continues the trace of its sender, and starts a new trace without one', () => {
    const incoming = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(traceOf(incoming)).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(traceOf(incoming)).not.toBe(incoming);
    for (const bad of [undefined, 'x', '00-00000000000000000000000000000000-b7ad6b7169203331-01']) {
      expect(traceOf(bad)).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
  });
});

describe('the keys of the outbox', () => {
  it('outbox keys continue from the newest one when the clock was set back', () => {
    const first = outboxKeys('2026-11-21 12:00:00.5', null)(0, 'a');
    expect(first).toBe('beads-dispatch.outbox.20261121120000500000.0.a');
    const later = outboxKeys('2026-11-21 12:00:01.000000', first)(0, 'b');
    const setBack = outboxKeys('2026-11-21 11:00:00.000000', later)(1, 'c');
    expect([setBack, later, first].toSorted()).toEqual([first, later, setBack]);
  });
});
