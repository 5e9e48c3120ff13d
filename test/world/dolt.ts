import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Certificate } from './certificates.ts';
import { HOST } from './database.ts';
import { freePort, WorldProcess } from './process.ts';

/** Made by `make setup`: the dolt on PATH, or the one built from tools/go.mod. */
export const DOLT_BINARY = join(import.meta.dirname, '../../.tools/bin/dolt');

export interface DoltOptions {
  /** Whether sessions start with autocommit, as is the default. */
  autocommit?: boolean;
}

interface RestartOptions {
  certificate?: Certificate;
  /** It answers, and takes no writes. */
  readOnly?: boolean;
}

/** A real Dolt SQL server on a free port, with its data in a temporary folder of its own. */
export class DoltServer {
  readonly port: number;
  readonly #folder: string;
  readonly #options: DoltOptions;
  #process: WorldProcess;

  private constructor(port: number, folder: string, options: DoltOptions, process: WorldProcess) {
    this.port = port;
    this.#folder = folder;
    this.#options = options;
    this.#process = process;
  }

  /** @param options `autocommit: false` starts sessions as some packages of beads do. */
  static async start(options: DoltOptions = {}): Promise<DoltServer> {
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
    await writeFile(join(folder, CONFIG_FILE), configuration(folder, port, options));
    return new DoltServer(port, folder, options, await serve(folder));
  }

  /**
   * Starts the server again on the same data and port, after {@link stop}.
   * @param options `certificate` to speak TLS with; the server then takes no other connection.
   */
  async restart({ certificate, readOnly = false }: RestartOptions = {}): Promise<void> {
    const file = join(this.#folder, CONFIG_FILE);
    await writeFile(
      file,
      configuration(this.#folder, this.port, { ...this.#options, readOnly }, certificate),
    );
    this.#process = await serve(this.#folder);
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

const CONFIG_FILE = 'server.yaml';

/** JSON is YAML, too. */
function configuration(
  folder: string,
  port: number,
  { autocommit = true, readOnly = false }: DoltOptions & RestartOptions,
  certificate?: Certificate,
): string {
  const tls = certificate && {
    tls_cert: certificate.certFile,
    tls_key: certificate.keyFile,
    require_secure_transport: true,
  };
  return JSON.stringify({
    data_dir: join(folder, 'data'),
    behavior: { autocommit, read_only: readOnly },
    listener: { host: HOST, port, ...tls },
  });
}

async function serve(folder: string): Promise<WorldProcess> {
  return await WorldProcess.start(
    DOLT_BINARY,
    ['sql-server', '--config', join(folder, CONFIG_FILE)],
    /Server ready/,
    { env: { ...process.env, DOLT_ROOT_PATH: folder }, cwd: folder },
  );
}
