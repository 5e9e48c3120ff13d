import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import * as z from 'zod';

import { readSchedules } from '../serve/schedules.ts';
import { parseJson } from '../../shared/runtime/json.ts';
import { statusView, type StatusView } from '../../shared/views/status.ts';
import type { PortForwards } from '../cluster/port-forward.ts';
import type { Kubectl } from './kubectl.ts';
import { until } from './until.ts';

/** What the checks ask of an installation, on Knative and without it. */
export interface Way {
  isKnative: boolean;
  /** @returns the schedules in words. @throws when one is missing or suspended. */
  schedules(): Promise<string>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Kills the pods of the dispatcher, as a node that dies does. */
  kill(): Promise<void>;
  /** How many pods the dispatcher has. */
  pods(): Promise<number>;
  restartDolt(): Promise<void>;
  /** What `kn beads status -o json` says from here. */
  status(): Promise<StatusView>;
  /** What the watcher serves at /metrics; `undefined` for an overlay without one. */
  metrics(): Promise<string | undefined>;
  /** What the dead letters' log says. */
  deadLetters(): Promise<string>;
}

/** A pod that is deleted at once, as with a node that is gone. */
const AT_ONCE = ['--grace-period=0', '--force', '--wait=false'];
const ROLL_OUT_MS = 180_000;
const items = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string() }),
      spec: z.looseObject({ schedule: z.string().optional() }),
    }),
  ),
});
/** A date that never comes: how a PingSource is suspended. */
const NEVER = '0 0 31 2 *';

/** How an installation is reached from here. */
export interface Reach {
  kubectl: Kubectl;
  forwards: PortForwards;
  /** This program, with what it needs to find the cluster. */
  program: readonly string[];
}

abstract class AnyWay {
  protected readonly kubectl: Kubectl;
  readonly #forwards: PortForwards;
  readonly #program: readonly string[];
  readonly #selector: string;
  readonly #watcher: string;

  /**
   * @param selector of the dispatcher's pods.
   * @param watcher the Service that has the metrics.
   */
  constructor({ kubectl, forwards, program }: Reach, selector: string, watcher: string) {
    this.kubectl = kubectl;
    this.#forwards = forwards;
    this.#program = program;
    this.#selector = selector;
    this.#watcher = watcher;
  }

  async status(): Promise<StatusView> {
    // Degraded, as it may well be, is an exit code of its own.
    const { stdout } = await this.beads('status', '--from-cluster', '--output=json').catch(
      (error: { stdout: string }) => error,
    );
    return statusView.parse(parseJson(stdout));
  }

  async metrics(): Promise<string | undefined> {
    const services = items.parse(await this.kubectl.get(['services'])).items;
    if (!services.some(({ metadata }) => metadata.name === this.#watcher)) return undefined;
    const { host, port } = await this.#forwards.reach({ host: this.#watcher, port: 80 });
    return await (await fetch(`http://${host}:${port}/metrics`)).text();
  }

  protected async beads(...given: readonly string[]): Promise<{ stdout: string }> {
    const [file = '', ...args] = this.#program;
    const named = ['--namespace', this.kubectl.namespace];
    return await promisify(execFile)(file, [...args, ...given, ...named]);
  }

  async kill(): Promise<void> {
    await this.kubectl.run(['delete', 'pod', `--selector=${this.#selector}`, ...AT_ONCE]);
  }

  async pods(): Promise<number> {
    const found = await this.kubectl.get(['pods', `--selector=${this.#selector}`]);
    return items.parse(found).items.length;
  }

  async restartDolt(): Promise<void> {
    // The container alone, so that its volume stays.
    await this.kubectl.run(['exec', 'deployment/dolt', '--', 'sh', '-c', 'kill 1']);
  }
}

export class KnativeWay extends AnyWay implements Way {
  readonly isKnative = true;

  constructor(reach: Reach) {
    super(reach, 'serving.knative.dev/service=beads-dispatch', 'beads-watch');
  }

  async schedules(): Promise<string> {
    const { items: sources } = items.parse(await this.kubectl.get(['pingsources']));
    for (const name of ['beads-dispatch', 'beads-reap']) {
      const schedule = sources.find(({ metadata }) => metadata.name === name)?.spec.schedule;
      if (schedule === undefined) throw new Error(`there is no PingSource ${name}`);
      if (schedule === NEVER) throw new Error(`the PingSource ${name} is suspended`);
    }
    return sources.map(({ spec }) => spec.schedule).join(', ');
  }

  async pause(): Promise<void> {
    await this.beads('pause');
  }

  async resume(): Promise<void> {
    await this.beads('resume');
  }

  async deadLetters(): Promise<string> {
    const selector = '--selector=serving.knative.dev/service=beads-dead-letters';
    // A pod that still starts has no log.
    const running = ['pods', selector, '--field-selector=status.phase=Running'];
    const pods = items.parse(await this.kubectl.get(running)).items;
    const logs = pods.map(({ metadata }) =>
      this.kubectl.run(['logs', metadata.name, '--container=user-container', '--tail=-1']),
    );
    return (await Promise.all(logs)).join('');
  }
}

export class KubernetesWay extends AnyWay implements Way {
  readonly isKnative = false;

  constructor(reach: Reach) {
    super(reach, 'app.kubernetes.io/name=beads-standalone', 'beads-standalone');
  }

  async schedules(): Promise<string> {
    const config = z
      .object({ data: z.record(z.string(), z.string()) })
      .parse(await this.kubectl.get(['configmap', 'beads-settings'])).data;
    if (config['PAUSED'] === 'true') throw new Error('PAUSED is set in beads-settings');
    const { dispatch, reap } = readSchedules(config);
    return `${dispatch}, ${reap}`;
  }

  async pause(): Promise<void> {
    await this.#scale(0);
    const gone = async () => ((await this.pods()) === 0 ? true : undefined);
    await until('the pod ends', ROLL_OUT_MS, gone);
  }

  async resume(): Promise<void> {
    await this.#scale(1);
  }

  async deadLetters(): Promise<string> {
    return await Promise.reject(new Error('without a broker there are no dead letters'));
  }

  async #scale(replicas: number): Promise<void> {
    await this.kubectl.run(['scale', 'deployment/beads-standalone', `--replicas=${replicas}`]);
  }
}
