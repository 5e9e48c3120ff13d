import { programCommand } from './function.ts';
import { freePort, WorldProcess } from './process.ts';

/** Never in the time of a test, so that only a change wakes it. */
const NEVER = '0 0 1 1 *';

/** `standalone`: watcher, dispatcher and reaper in one process. */
export class ServeProcess {
  readonly url: string;
  readonly #process: WorldProcess;

  private constructor(url: string, process: WorldProcess) {
    this.url = url;
    this.#process = process;
  }

  /** @param command starts another packaging of the same. */
  static async start(
    settings: Readonly<Record<string, string>>,
    command: readonly string[] = programCommand('standalone').command,
  ): Promise<ServeProcess> {
    const port = await freePort();
    const [file = '', ...args] = command;
    const env = {
      PATH: process.env['PATH'],
      DISPATCH_SCHEDULE: NEVER,
      REAP_SCHEDULE: NEVER,
      PORT: String(port),
      ...settings,
    };
    const started = await WorldProcess.start(file, args, /"listening"/, { env });
    return new ServeProcess(`http://127.0.0.1:${port}`, started);
  }

  get output(): string {
    return this.#process.output;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.#process.stop(signal);
  }
}
