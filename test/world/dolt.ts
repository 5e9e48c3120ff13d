import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { HOST } from './database.ts';
import { freePort, WorldProcess } from './process.ts';

/** Made by `make setup`: the dolt on PATH, or the one built from tools/go.mod. */
export const DOLT_BINARY = join(import.meta.dirname, '../../.tools/bin/dolt');

/** A real Dolt SQL server on a free port, with its data in a temporary folder of its own. */
export class DoltServer {
  readonly port: number;
  readonly #folder: string;
  #process: WorldProcess;

  private constructor(port: number, folder: string, process: WorldProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = process;
  }

  static async start(): Promise<DoltServer> {
    const folder = await mkdtemp(join(tmpdir(), 'beads-dolt-'));
    await mkdir(join(folder, '.dolt'));
    await mkdir(join(folder, 'data'));
    const config = {
      'user.name': 'beads',
      'user.email': 'beads@local',
      'metrics.disabled': 'true',
      'versioncheck.disabled': 'true',
    };
    await writeFile(join(folder, '.dolt', 'config_global.json'), JSON.stringify(config));
    const port = await freePort();
    return new DoltServer(port, folder, await serve(folder, port));
  }

  /** Starts the server again on the same data and port, after {@link stop}. */
  async restart(): Promise<void> {
    this.#process = await serve(this.#folder, this.port);
  }

  /** Ends the server and keeps its data. */
  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.#process.stop(signal);
  }

  /** Ends the server and removes its data. */
  async remove(): Promise<void> {
    await this.#process.stop('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function serve(folder: string, port: number): Promise<WorldProcess> {
  return await WorldProcess.start(
    DOLT_BINARY,
    ['sql-server', '--host', HOST, '--port', String(port), '--data-dir', join(folder, 'data')],
    /Server ready/,
    { env: { ...process.env, DOLT_ROOT_PATH: folder }, cwd: folder },
  );
}
