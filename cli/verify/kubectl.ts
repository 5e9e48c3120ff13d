import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import type { ClusterOptions } from '../cluster/cluster-options.ts';

/** A pull of three images on a slow line, and a start. */
export const READY_SECONDS = 300;
/** A command that has not ended in this time hangs; one that waits for something ends by itself. */
const TIMEOUT_MS = (READY_SECONDS + 30) * 1000;

/** kubectl on PATH, in one namespace of the cluster that the options name. */
export class Kubectl {
  readonly namespace: string;
  readonly #flags: readonly string[];

  constructor(namespace: string, { kubeconfig, context, cluster, as }: ClusterOptions) {
    this.namespace = namespace;
    const named = Object.entries({ namespace, kubeconfig, context, cluster, as });
    this.#flags = named.flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}=${value}`],
    );
  }

  /**
   * @param input for its standard input.
   * @returns what it printed.
   * @throws with its own last words.
   */
  async run(args: readonly string[], input = ''): Promise<string> {
    const child = spawn('kubectl', [...this.#flags, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    // One that ends early does not read all.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const started = once(child, 'spawn').catch(() => {
      throw new Error('there is no kubectl on PATH');
    });
    const ended = once(child, 'close');
    ended.catch(() => undefined);
    await started;
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = await ended;
    if (code === 0) return output;
    const words = errors.trim().split('\n').at(-1) ?? '';
    throw new Error(`kubectl ${args.slice(0, 2).join(' ')}: ${words || `ended with ${code}`}`);
  }

  /** @returns the parsed answer of `kubectl get … -o json`. */
  async get(args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.run(['get', ...args, '--output=json']));
  }
}
