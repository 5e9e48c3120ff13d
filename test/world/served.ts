import { programCommand } from './function.ts';
import { freePort, WorldProcess } from './process.ts';
import { makeUser } from './rights.ts';

/** A program that serves pages beside its work, on a port of its own. */
export class ServedProcess {
  readonly url: string;
  readonly #process: WorldProcess;

  private constructor(url: string, process: WorldProcess) {
    this.url = url;
    this.#process = process;
  }

  /** @param settings environment variables, in place of the test's own environment. */
  static async start(
    [file = '', ...args]: readonly string[],
    settings: Readonly<Record<string, string | undefined>>,
  ): Promise<ServedProcess> {
    const port = await freePort();
    const env = { PORT: String(port), ...settings };
    const started = await WorldProcess.start(file, args, /"listening"/, { env });
    return new ServedProcess(`http://127.0.0.1:${port}`, started);
  }

  /** Everything it printed so far. */
  get output(): string {
    return this.#process.output;
  }

  /** Once it has ended by itself. */
  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.#process.stop(signal);
  }
}

/** Where a watcher works: a scene of a test, or the world of the demo. */
export interface WatcherPlace {
  settings: { port: number; database: string };
  environment(): Readonly<Record<string, string>>;
}

/**
 * The watcher, with a user that only reads.
 * @param settings replace those of the place; without a sink it wakes nobody.
 */
export async function startWatcher(
  place: WatcherPlace,
  settings: Readonly<Record<string, string>> = { K_SINK: '' },
): Promise<ServedProcess> {
  const { port, database } = place.settings;
  const { user, password } = await makeUser(port, database, 'watch');
  const { command, environment } = programCommand('watch');
  const reader = { BEADS_DOLT_SERVER_USER: user, BEADS_DOLT_PASSWORD: password };
  const env = { ...environment, ...place.environment(), ...reader, ...settings };
  return await ServedProcess.start(command, env);
}

/** Never in the time of a test, so that only a change wakes it. */
const NEVER = '0 0 1 1 *';

/**
 * `standalone`: watcher, dispatcher and reaper in one process.
 * @param command starts another packaging of the same.
 */
export async function startServe(
  settings: Readonly<Record<string, string>>,
  command: readonly string[] = programCommand('standalone').command,
): Promise<ServedProcess> {
  const schedules = { DISPATCH_SCHEDULE: NEVER, REAP_SCHEDULE: NEVER };
  return await ServedProcess.start(command, {
    PATH: process.env['PATH'],
    ...schedules,
    ...settings,
  });
}
