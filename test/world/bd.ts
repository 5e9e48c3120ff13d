import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { HOST } from './database.ts';

const run = promisify(execFile);

/** A `bd` binary of this machine. */
export interface BdBinary {
  path: string;
  version: string;
}

/**
 * @returns the binaries named in `BD` (several, separated as in PATH), else the bd on PATH, else
 *   none.
 */
export async function findBd(): Promise<BdBinary[]> {
  const named = process.env['BD'];
  const paths = named === undefined || named === '' ? ['bd'] : named.split(delimiter);
  const found = await Promise.all(
    paths.map(async (path): Promise<BdBinary[]> => {
      try {
        const { stdout } = await run(path, ['version']);
        return [{ path, version: /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? stdout.trim() }];
      } catch (error) {
        if (named === undefined || named === '') return [];
        throw new Error(`BD names ${path}, which does not run`, { cause: error });
      }
    }),
  );
  return found.flat();
}

/** A person's workspace: a folder with `.beads`, made by `bd init` against a Dolt server. */
export class BdWorkspace {
  readonly folder: string;
  readonly #binary: BdBinary;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(
    binary: BdBinary,
    folder: string,
    environment: Readonly<Record<string, string>>,
  ) {
    this.#binary = binary;
    this.folder = folder;
    this.#environment = environment;
  }

  /** @param environment more variables for every command. */
  static async init(
    binary: BdBinary,
    port: number,
    database: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<BdWorkspace> {
    const folder = await mkdtemp(join(tmpdir(), 'beads-bd-'));
    await mkdir(join(folder, 'home'));
    const workspace = new BdWorkspace(binary, folder, environment);
    await run('git', ['init', '--quiet', folder]);
    const server = ['--server', '--external', '--server-host', HOST, '--server-port', String(port)];
    const where = ['--server-user', 'root', '--database', database, '--prefix', 'code'];
    const quietly = ['--quiet', '--skip-agents', '--skip-hooks', '--non-interactive'];
    await workspace.bd('init', ...server, ...where, ...quietly);
    return workspace;
  }

  /**
   * The same workspace under another bd, which migrates the database in the way that version has.
   */
  async upgrade(binary: BdBinary): Promise<BdWorkspace> {
    const upgraded = new BdWorkspace(binary, this.folder, this.#environment);
    // Changes that bd itself left uncommitted would stop a migration; newer ones must be asked for
    // it.
    await this.said('dolt', 'commit');
    await upgraded.said('migrate', 'schema');
    await upgraded.bd('list');
    return upgraded;
  }

  /** The folder that `BEADS_DIR` names. */
  get beadsDir(): string {
    return join(this.folder, '.beads');
  }

  /** Runs one command as one person. @returns what it printed. @throws when it fails. */
  async bd(...args: string[]): Promise<string> {
    return await this.bdAs('person', ...args);
  }

  /** The same as somebody else. */
  async bdAs(actor: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(this.#binary.path, args, this.options(actor));
    return stdout;
  }

  /** What a command prints, even when it ends with a code that tells of a finding. */
  async said(...args: string[]): Promise<string> {
    return await new Promise((resolve) => {
      execFile(this.#binary.path, args, this.options('person'), (_, stdout) => resolve(stdout));
    });
  }

  /** Where and with what environment a command of one person runs. */
  options(actor: string) {
    // The usage statistics of newer versions are not for runs like this.
    const quiet = { BD_DISABLE_METRICS: '1', HOME: join(this.folder, 'home') };
    const env = { ...process.env, ...quiet, BEADS_ACTOR: actor, ...this.#environment };
    return { cwd: this.folder, env };
  }

  /** `bd show <id> --json`. */
  async show(id: string): Promise<Record<string, unknown>> {
    const parsed: unknown = JSON.parse(await this.bd('show', id, '--json'));
    const bead: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
    if (typeof bead !== 'object' || bead === null) throw new Error(`bd show ${id} gave no bead`);
    return { ...bead };
  }

  /** `bd create`; @returns the new bead's id. */
  async create(title: string, ...args: string[]): Promise<string> {
    const parsed: unknown = JSON.parse(await this.bd('create', title, ...args, '--json'));
    if (typeof parsed === 'object' && parsed !== null && 'id' in parsed) return String(parsed.id);
    throw new Error(`bd create ${title} gave no id`);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
