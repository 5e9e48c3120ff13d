import { pino } from 'pino';
import { describe, expect, it } from 'vitest';

import type { AuditEvent } from '../../shared/audit/event-types.ts';
import { Relay } from '../../shared/audit/relay.ts';
import { createLog } from '../../shared/log.ts';
import { traceOf } from '../../shared/trace.ts';
import { Sink } from '../world/sink.ts';

function failedTick(id: string): AuditEvent {
  const data = { function: 'reap', code: 'X', message: 'no' };
  return { id, name: 'tick.failed.v1', subject: 'reap', at: new Date(0), data };
}

describe('the relay', () => {
  it('sends in order, and leaves a sink that failed alone for the rest of the tick', async () => {
    const sink = await Sink.start();
    try {
      const lines: string[] = [];
      const log = pino({}, { write: (line: string) => lines.push(line) });
      const settings = { sink: sink.url, project: '/beads/x', function: 'reap', extensions: {} };
      const relay = new Relay(settings, traceOf(undefined), log);
      relay.report([failedTick('1'), failedTick('2')]);
      await relay.settle();
      sink.reply = { status: 503 };
      relay.report([failedTick('3')]);
      await relay.settle();
      sink.reply = { status: 202 };
      relay.report([failedTick('4')]);
      await relay.settle();

      expect(sink.events.map(({ id }) => id)).toEqual(['1', '2']);
      const unsent = lines.filter((line) => line.includes('event not delivered'));
      expect(unsent.map((line) => JSON.parse(line).event.id)).toEqual(['3', '4']);
    } finally {
      await sink.stop();
    }
  });
});

describe('the trace', () => {
  it("goes on from the sender's, and starts anew without one", () => {
    const incoming = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(traceOf(incoming)).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(traceOf(incoming)).not.toBe(incoming);
    for (const bad of [undefined, 'x', '00-00000000000000000000000000000000-b7ad6b7169203331-01']) {
      expect(traceOf(bad)).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    }
  });
});

describe('the log', () => {
  it('takes secrets out', () => {
    const written: string[] = [];
    const log = createLog('x', 'info', { write: (line) => written.push(line) });
    log.info({ password: 'hunter2', headers: { authorization: 'Bearer hunter2' } }, 'hello');
    expect(written.join('')).not.toContain('hunter2');
    expect(written.join('')).toContain('[secret]');
  });
});
