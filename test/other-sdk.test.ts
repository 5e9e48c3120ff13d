import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import type { Exchange } from './world/http-stand-in.ts';
import { Scene } from './world/scene.ts';

/** The stream as the official SDK of another language sees it. `make setup` installs it. */
const PYTHON = join(import.meta.dirname, '../.tools/python/bin/python');
const isThere = existsSync(PYTHON);
if (!isThere) {
  console.log('other sdk: skipped, there is no Python >= 3.10 to try it with (make setup)');
}

it.skipIf(!isThere)(
  'the CloudEvents SDK for Python reads every event, without a warning',
  async () => {
    const scene = await Scene.open();
    try {
      const exchanges: Exchange[] = [];
      scene.sink.onTaken = async (_, exchange) => void exchanges.push(exchange);
      const ids = ['code-a', 'code-b', 'cödé "1" 100%'];
      for (const id of ids) {
        await scene.tracker.create(id, { assignee: 'agent', title: `Bead “${id}” 🧵` });
      }
      scene.board.onPost = (id) =>
        id === 'code-a' ? { status: 500, json: { error: 'no' } } : undefined;
      await scene.dispatch();
      await scene.tracker.age('code-b', 45);
      await scene.reap();

      const input = exchanges.map(({ headers, body }) => JSON.stringify({ headers, body }));
      const script = join(import.meta.dirname, 'world/read_stream.py');
      const output = execFileSync(PYTHON, ['-W', 'error', script], { input: input.join('\n') });
      const read = output.toString().trimEnd().split('\n');

      expect(read).toHaveLength(7);
      const events = read.map((line): Record<string, unknown> => JSON.parse(line));
      expect(new Set(events.map(({ subject }) => subject))).toEqual(new Set(ids));
      for (const [index, event] of events.entries()) {
        const sent = scene.sink.events[index]?.toJSON();
        // Read in its own type, printed in Python's way.
        const time = new Date(String(event['time'])).toISOString();
        const subject = encodeURIComponent(String(event['subject']));
        expect({ ...event, time }).toEqual({
          ...sent,
          subject: event['subject'],
          partitionkey: event['subject'],
        });
        expect(subject).toBe(sent?.['subject']);
      }
    } finally {
      await scene.close();
    }
  },
);
