import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import type { DatabaseSettings } from '../../shared/settings/settings.ts';
import { freePort, WorldProcess } from './process.ts';

const ROOT = join(import.meta.dirname, '../..');

export type FunctionName = 'dispatch' | 'reap' | 'notify' | 'audit-log';

/** The built file of a program, as the image runs it. */
export const programFile = (name: string) => join(ROOT, 'dist', `${name}.cjs`);

/** How a program is run: as the Containerfile does it. */
export function programCommand(name: string) {
  const environment = {
    NODE_COMPILE_CACHE: join(ROOT, 'dist/.compile-cache'),
    NODE_OPTIONS: '--max-semi-space-size=2',
  };
  return { command: [process.execPath, programFile(name)], environment };
}

/** The environment of a program that works on a database, with its BeadBoard and its sink. */
export const programSettings = (
  { host, port, user, password, database }: Omit<DatabaseSettings, 'tls'>,
  boardUrl: string,
  sinkUrl: string,
) => ({
  BEADS_DOLT_SERVER_HOST: host,
  BEADS_DOLT_SERVER_PORT: String(port),
  BEADS_DOLT_SERVER_USER: user,
  BEADS_DOLT_PASSWORD: password ?? '',
  BEADS_DOLT_SERVER_DATABASE: database,
  BEADBOARD_URL: boardUrl,
  K_SINK: sinkUrl,
});

/** A tick as a PingSource sends it: all of it is in the headers. */
export const pingHeaders = (name: string) => ({
  'ce-specversion': '1.0',
  'ce-type': 'dev.knative.sources.ping',
  'ce-source': `/apis/v1/namespaces/beads/pingsources/${name}`,
  'ce-id': randomUUID(),
  'ce-time': new Date().toISOString(),
});

/** A built function in a process of its own, under the functions-framework. */
export class FunctionProcess {
  readonly name: FunctionName;
  readonly url: string;
  readonly #process: WorldProcess;

  private constructor(name: FunctionName, url: string, process: WorldProcess) {
    this.name = name;
    this.url = url;
    this.#process = process;
  }

  /**
   * @param settings environment variables, in place of the test's own environment.
   * @throws with all that the function printed, when it ends at once.
   */
  static async start(
    name: FunctionName,
    settings: Readonly<Record<string, string>>,
  ): Promise<FunctionProcess> {
    const port = await freePort();
    const about = { PATH: process.env['PATH'], PORT: String(port) };
    const { command, environment } = programCommand(name);
    const [file = '', ...args] = command;
    const env = { ...about, ...environment, ...settings };
    const started = await WorldProcess.start(file, args, /"listening"/, { env });
    return new FunctionProcess(name, `http://127.0.0.1:${port}`, started);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Everything the function printed, its log lines among it. */
  get output(): string {
    return this.#process.output;
  }

  /** Its log lines, parsed. */
  get log(): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): Record<string, unknown> => JSON.parse(line));
  }

  /** A tick, as a PingSource sends it. @returns the HTTP status of the answer. */
  async tick(): Promise<number> {
    const { status } = await this.send(pingHeaders(this.name));
    return status;
  }

  /** Any other request. */
  async send(headers: Readonly<Record<string, string>>, body?: string): Promise<Response> {
    return await fetch(this.url, {
      // A tick that hangs fails its test with a word of its own.
      signal: AbortSignal.timeout(60_000),
      method: 'POST',
      headers,
      ...(body === undefined ? {} : { body }),
    });
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.#process.stop(signal);
  }
}
