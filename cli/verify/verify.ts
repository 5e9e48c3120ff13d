import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { stringify } from 'yaml';

import { errorMessage } from '../../shared/runtime/errors.ts';
import type { ClusterOptions } from '../cluster/cluster-options.ts';
import { PortForwards } from '../cluster/port-forward.ts';
import { CHECKS, type Check, type VerifyWorld } from './checks.ts';
import { Kubectl, READY_SECONDS } from './kubectl.ts';
import { Lab } from './lab.ts';
import { overlayIn, triggers, type Overlay } from './overlay.ts';
import { KnativeWay, KubernetesWay } from './way.ts';
import { LAB, LAB_PORT, worldObjects, type KubernetesObject } from './world-objects.ts';

/** What `kn beads verify` was asked for. */
export interface VerifyOptions extends ClusterOptions {
  overlay: string;
  image: string;
  doltImage: string;
  /** How long nothing may happen while it is paused. */
  quietSeconds: number;
  /** Leaves the namespace, to look into it. */
  keep: boolean;
}

/** One line of the table. */
export interface Verdict {
  check: string;
  passed: boolean;
  /** What was measured, or why it does not hold. */
  figure: string;
}

const READY_TIMEOUT = `${READY_SECONDS}s`;

/**
 * Installs an overlay in a namespace of its own, with a Dolt server and a stand-in for BeadBoard,
 * and tries it. Removes the namespace, however it ends.
 * @param tell called with each verdict as it is there.
 * @throws when it cannot be installed.
 */
export async function verify(
  options: VerifyOptions,
  tell: (verdict: Verdict) => void,
): Promise<Verdict[]> {
  const kubectl = new Kubectl(`beads-verify-${randomBytes(3).toString('hex')}`, options);
  const remove = () =>
    kubectl.run(['delete', 'namespace', kubectl.namespace, '--ignore-not-found', '--wait=false']);
  const interrupted = () => void remove().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  const forwards = new PortForwards(kubectl.namespace, options);
  try {
    const overlay = await install(kubectl, options);
    const { host, port } = await forwards.reach({ host: LAB, port: LAB_PORT });
    const reach = { kubectl, forwards, program: itself(options) };
    const world = {
      lab: new Lab(`http://${host}:${port}`),
      way: overlay.isKnative ? new KnativeWay(reach) : new KubernetesWay(reach),
      quietMs: options.quietSeconds * 1000,
      patience: 1,
    };
    return await runAll(world, tell);
  } finally {
    await forwards.stop();
    process.off('SIGINT', interrupted);
    if (!options.keep) await remove();
  }
}

/** Each check after the other; one that fails does not keep the others from being tried. */
export async function runAll(
  world: VerifyWorld,
  tell: (verdict: Verdict) => void,
  checks: readonly Check[] = CHECKS,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { name: check, needsKnative = false, run } of checks) {
    if (needsKnative && !world.way.isKnative) continue;
    const verdict = await run(world).then(
      (figure) => ({ check, passed: true, figure }),
      (error: unknown) => ({ check, passed: false, figure: errorMessage(error) }),
    );
    verdicts.push(verdict);
    tell(verdict);
  }
  return verdicts;
}

async function install(kubectl: Kubectl, options: VerifyOptions): Promise<Overlay> {
  const password = randomBytes(16).toString('hex');
  const built = await kubectl.run(['kustomize', options.overlay]);
  const overlay = overlayIn(built, options.image, password);
  await kubectl.run(['create', 'namespace', kubectl.namespace]);
  await apply(kubectl, worldObjects(options, grants(), password));
  for (const name of ['dolt', LAB]) await rolledOut(kubectl, `deployment/${name}`);
  await apply(kubectl, overlay.objects);
  if (overlay.isKnative) {
    await apply(kubectl, triggers());
    const wait = ['wait', '--for=condition=Ready', `--timeout=${READY_TIMEOUT}`, '--all'];
    for (const kind of ['broker', 'trigger', 'ksvc', 'pingsource', 'sinkbinding'])
      await kubectl.run([...wait, kind]);
  } else {
    await rolledOut(kubectl, 'deployment/beads-standalone');
  }
  return overlay;
}

async function rolledOut(kubectl: Kubectl, object: string): Promise<void> {
  await kubectl.run(['rollout', 'status', object, `--timeout=${READY_TIMEOUT}`]);
}

async function apply(kubectl: Kubectl, objects: readonly KubernetesObject[]): Promise<void> {
  const yaml = objects.map((object) => stringify(object)).join('---\n');
  await kubectl.run(['apply', '--filename=-'], yaml);
}

/** The rights of the SQL users, from the checkout that this runs in. */
function grants(): Record<string, string> {
  const names = ['grants.sql', 'grants-watch.sql'];
  try {
    return Object.fromEntries(
      names.map((name) => [name, readFileSync(join('docs', name), 'utf8')]),
    );
  } catch (cause) {
    throw new Error('there is no docs/grants.sql here; run this in the folder of the project', {
      cause,
    });
  }
}

/** This program, with what it was given to find the cluster. */
function itself({ kubeconfig, context, cluster, as }: ClusterOptions): string[] {
  const flags = Object.entries({ kubeconfig, context, cluster, as }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return [process.execPath, process.argv[1] ?? '', ...flags];
}
