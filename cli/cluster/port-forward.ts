import { spawn, type ChildProcess } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import type { ClusterOptions } from './cluster-options.ts';

/** kubectl has asked the API server and listens within this, or never. */
const START_TIMEOUT_MS = 20_000;
const FORWARDING = /^Forwarding from 127\.0\.0\.1:(\d+)/;

export interface Address {
  host: string;
  port: number;
}

/** Port-forwards to Services of a cluster, by the kubectl on PATH, as long as a command runs. */
export class PortForwards {
  readonly #namespace: string;
  readonly #flags: readonly string[];
  readonly #children: ChildProcess[] = [];

  constructor(namespace: string, options: ClusterOptions) {
    this.#namespace = namespace;
    const { kubeconfig, context, cluster, as } = options;
    this.#flags = Object.entries({ kubeconfig, context, cluster, as }).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}=${value}`],
    );
  }

  /**
   * @returns where an address of the cluster is reached from here: itself where its name is known
   *   here, too.
   * @throws when kubectl cannot forward, with its own words.
   */
  async reach({ host, port }: Address): Promise<Address> {
    if (await isKnown(host)) return { host, port };
    const [service = host, namespace = this.#namespace] = host.split('.');
    return { host: '127.0.0.1', port: await this.#forward(namespace, service, port) };
  }

  /** Ends them, and waits until they have ended. */
  async stop(): Promise<void> {
    const running = this.#children.filter(
      ({ exitCode, signalCode }) => (exitCode ?? signalCode) === null,
    );
    await Promise.all(
      running.map(async (child) => {
        const ended = once(child, 'exit');
        if (child.kill()) await ended;
      }),
    );
  }

  async #forward(namespace: string, service: string, port: number): Promise<number> {
    const args = ['port-forward', '--namespace', namespace, `service/${service}`, `:${port}`];
    const child = spawn('kubectl', [...args, ...this.#flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    const said: string[] = [];
    child.stderr.on('data', (data: Buffer) => said.push(data.toString()));
    return await new Promise<number>((resolve, reject) => {
      const fail = (why: string) => {
        reject(
          new Error(`cannot reach ${service}.${namespace}:${port} by kubectl port-forward: ${why}`),
        );
      };
      const timer = setTimeout(() => fail('it does not answer'), START_TIMEOUT_MS);
      child.once('error', () => fail('there is no kubectl on PATH'));
      child.once('exit', () => fail(said.join('').trim().split('\n').at(-1) ?? 'it ended'));
      createInterface(child.stdout).on('line', (line) => {
        const local = FORWARDING.exec(line)?.[1];
        if (local === undefined) return;
        clearTimeout(timer);
        resolve(Number(local));
      });
      child.once('close', () => clearTimeout(timer));
    });
  }
}

async function isKnown(host: string): Promise<boolean> {
  return await lookup(host).then(
    () => true,
    () => false,
  );
}
