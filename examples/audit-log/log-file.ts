import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import type { CloudEvent } from 'cloudevents';
import * as z from 'zod';

import { parseJson } from '../../shared/runtime/json.ts';
import { Once } from '../once.ts';

const line = z.object({ source: z.string(), id: z.string() });

/** An append-only file with one CloudEvent in JSON format a line. */
export class LogFile {
  readonly #file: FileHandle;
  readonly #once: Once;
  /** Bytes of whole lines that are on the disk. */
  #size: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, size: number, once: Once) {
    this.#file = file;
    this.#size = size;
    this.#once = once;
  }

  /**
   * Opens or creates it; what it has is read, so that its newest events are not written a second
   * time. Half a line, which a process leaves that dies while it writes, is cut off: that event
   * comes again.
   */
  static async open(path: string): Promise<LogFile> {
    const file = await open(path, 'a+');
    const once = new Once();
    for await (const text of createInterface({ input: createReadStream(path) })) {
      const parsed = line.safeParse(parseJson(text));
      if (parsed.success) once.remember(parsed.data);
    }
    const size = await sizeOfWholeLines(file);
    await file.truncate(size);
    return new LogFile(file, size, once);
  }

  /**
   * Appends an event that is not there yet; when this returns it is on the disk.
   * @throws when it cannot be written; the file is then as it was.
   */
  async append(event: CloudEvent<unknown>): Promise<void> {
    await this.#once.handle(event, async () => {
      const writing = this.#writeAfter(this.#last, Buffer.from(`${JSON.stringify(event)}\n`));
      this.#last = writing.catch(() => undefined);
      await writing;
    });
  }

  /** One line after the other, so that none ends up within another. */
  async #writeAfter(last: Promise<unknown>, bytes: Buffer): Promise<void> {
    await last;
    try {
      await this.#file.appendFile(bytes);
      await this.#file.datasync();
      this.#size += bytes.length;
    } catch (error) {
      await this.#file.truncate(this.#size);
      throw error;
    }
  }
}

async function sizeOfWholeLines(file: FileHandle): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024);
  for (let end = (await file.stat()).size; end > 0; end -= Math.min(end, chunk.length)) {
    const start = Math.max(0, end - chunk.length);
    const { bytesRead } = await file.read(chunk, 0, end - start, start);
    const newline = chunk.lastIndexOf('\n', bytesRead - 1);
    if (newline !== -1 && newline < bytesRead) return start + newline + 1;
  }
  return 0;
}
