import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { FunctionProcess } from './world/function.ts';
import { Scene } from './world/scene.ts';

const TICK = {
  'ce-specversion': '1.0',
  'ce-type': 'wake',
  'ce-source': '/test',
  'ce-id': '1',
  'content-type': 'application/json',
};
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };

/**
 * All that are served by the functions-framework; a body that reaches its parsers may have up to 1
 * GB.
 */
describe.each(['dispatch', 'notify', 'audit-log'] as const)('%s', (name) => {
  let scene: Scene;
  let program: FunctionProcess;
  beforeAll(async () => {
    scene = await Scene.open();
    const notify = { NOTIFY_URL: scene.sink.url };
    program = await FunctionProcess.start(name, { ...scene.environment(), ...notify });
  });
  afterAll(async () => {
    await program.stop();
    await scene.close();
  });

  it('the server refuses a small body that inflates to 300 MB without reading it', async () => {
    const bomb = gzipSync(Buffer.alloc(300_000_000));
    expect(bomb.length).toBeLessThan(300_000);
    const { status } = await fetch(program.url, {
      method: 'POST',
      headers: { ...TICK, 'content-encoding': 'gzip' },
      body: bomb,
    });
    expect(status).toBe(415);
  });

  it('the server refuses a body of more than 64 KiB by its length', async () => {
    const answer = await program.send(TICK, 'x'.repeat(65_537));
    expect(answer.status).toBe(413);
    expect((await program.send(TICK, `"${'x'.repeat(65_000)}"`)).status).toBeLessThan(300);
  });

  it('the server stops reading a body of unknown length after 64 KiB', async () => {
    const { port } = new URL(program.url);
    const socket = connect(Number(port), '127.0.0.1');
    const seen = { answer: '' };
    socket.setEncoding('utf8').on('data', (text: string) => {
      seen.answer += text;
    });
    // The answer may come before all is sent, and get lost in the reset that follows.
    socket.on('error', ({ message }) => {
      seen.answer += message;
    });
    const closed = Promise.withResolvers<void>();
    socket.once('close', () => closed.resolve());
    const headers = Object.entries(TICK).map(([key, value]) => `${key}: ${value}\r\n`);
    socket.write(
      `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n${headers.join('')}\r\n`,
    );
    const chunk = 'x'.repeat(16_384);
    for (let n = 0; n < 640 && seen.answer === ''; n += 1) {
      socket.write(`4000\r\n${chunk}\r\n`);
      await new Promise(setImmediate);
    }
    await closed.promise;
    expect(seen.answer).toMatch(/^HTTP\/1\.1 413 |ECONNRESET|EPIPE/);
    expect((await program.send(TICK)).status, 'it is still there').toBeLessThan(500);
  });

  it('the server prints one JSON line for each entry and no more than a quotation of a body', async () => {
    const secret = 'this is in the body';
    expect((await program.send(STRUCTURED, `{"id": ${secret}`)).status).toBe(400);
    const type = 'long.'.repeat(10_000);
    const event = { specversion: '1.0', id: '1', source: '/test', type };
    await program.send(STRUCTURED, JSON.stringify(event));
    expect((await program.send(TICK, '{"broken":')).status).toBeLessThan(300);

    const lines = program.output.split('\n').filter((line) => line !== '');
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
    // The audit log on stdout is whole events.
    const longest = name === 'audit-log' ? 70_000 : 2_000;
    for (const line of lines) expect(line.length).toBeLessThan(longest);
    expect(program.output).not.toContain(secret);
  });
});
