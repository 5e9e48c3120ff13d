import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A process of the world: started, waited for by a line it prints, and ended by its process id. */
export class WorldProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    // Not `exit`: there may be output left to read then.
    this.#exited = once(child, 'close');
    // Also when the world itself dies of an error; only its SIGKILL leaves the child behind.
    const killWithUs = () => child.kill('SIGKILL');
    process.once('exit', killWithUs);
    child.once('exit', () => process.off('exit', killWithUs));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  /**
   * @param ready the process is up once its output matches this.
   * @throws when it ends before that; the message has all it printed.
   */
  static async start(
    command: string,
    args: readonly string[],
    ready: RegExp,
    options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ): Promise<WorldProcess> {
    // In a group of its own: Ctrl-C is for the program that started it, which ends it in its order.
    const child = spawn(command, args, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const started = new WorldProcess(child);
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (ready.test(started.#output)) resolve();
      };
      child.stdout.on('data', look);
      child.stderr.on('data', look);
      child.once('error', reject);
      child.once('exit', (code) => {
        reject(new Error(`${command} ended with ${code} before it was ready:\n${started.#output}`));
      });
    });
    return started;
  }

  /** Waits until what it printed matches. */
  async until(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (pattern.test(this.#output)) resolve();
      };
      this.#child.stdout?.on('data', look);
      this.#child.stderr?.on('data', look);
      this.#child.once('close', () => {
        reject(new Error(`it ended without ${String(pattern)}:\n${this.#output}`));
      });
      look();
    });
  }

  /** Everything it printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Once it has ended by itself. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Ends it, by default politely, and waits until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal);
      await this.#exited;
    }
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
