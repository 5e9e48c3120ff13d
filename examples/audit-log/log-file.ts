import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import type { CloudEvent } from 'cloudevents';
import { z } from 'zod';

import { parseJson } from '../../shared/json.ts';
import { Once } from '../once.ts';

const line = z.object({ source: z.string(), id: z.string() });

/** An append-only file with one CloudEvent in JSON format a line. */
export class LogFile {
  readonly #file: FileHandle;
  readonly #once: Once;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, once: Once) {
    this.#file = file;
    this.#once = once;
  }

  /** Opens or creates it; what it has is read, so that nothing is written a second time. */
  static async open(path: string): Promise<LogFile> {
    const file = await open(path, 'a+');
    const once = new Once();
    for await (const text of createInterface({ input: createReadStream(path) })) {
      const parsed = line.safeParse(parseJson(text));
      if (parsed.success) once.remember(parsed.data);
    }
    const { size } = await file.stat();
    if (size > 0) {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
      // A process that died while it wrote left half a line; that event comes again.
      if (buffer.toString() !== '\n') await file.appendFile('\n');
    }
    return new LogFile(file, once);
  }

  /** Appends an event that is not there yet; when this returns it is on the disk. */
  async append(event: CloudEvent<unknown>): Promise<void> {
    await this.#once.handle(event, async () => {
      const writing = this.#writeAfter(this.#last, `${JSON.stringify(event)}\n`);
      this.#last = writing.catch(() => undefined);
      await writing;
    });
  }

  /** One line after the other, so that none ends up within another. */
  async #writeAfter(last: Promise<unknown>, text: string): Promise<void> {
    await last;
    await this.#file.appendFile(text);
    await this.#file.datasync();
  }
}
