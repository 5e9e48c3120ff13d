import { programCommand } from './function.ts';
import { freePort, WorldProcess } from './process.ts';
import { makeUser } from './rights.ts';

/** Where a watcher works: a scene of a test, or the world of the demo. */
export interface WatcherPlace {
  settings: { port: number; database: string };
  environment(): Readonly<Record<string, string>>;
}

/** The watcher as a process, with a user that only reads. */
export class WatcherProcess {
  readonly url: string;
  readonly #process: WorldProcess;

  private constructor(url: string, process: WorldProcess) {
    this.url = url;
    this.#process = process;
  }

  /** @param settings replace those of the scene; without a sink it wakes nobody. */
  static async start(
    place: WatcherPlace,
    settings: Record<string, string> = { K_SINK: '' },
  ): Promise<WatcherProcess> {
    const port = await freePort();
    const { port: server, database } = place.settings;
    const { user, password } = await makeUser(server, database, 'watch');
    const { command, environment } = programCommand('watch');
    const [file = '', ...args] = command;
    const env = {
      ...environment,
      ...place.environment(),
      BEADS_DOLT_SERVER_USER: user,
      BEADS_DOLT_PASSWORD: password ?? '',
      PORT: String(port),
      ...settings,
    };
    const process = await WorldProcess.start(file, args, /"listening"/, { env });
    return new WatcherProcess(`http://127.0.0.1:${port}`, process);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
