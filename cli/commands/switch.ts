import type { Command } from 'commander';
import { Cron } from 'croner';

import type { Cluster } from '../cluster/cluster.ts';
import { PARTS, SETTINGS } from '../cluster/parts.ts';
import { localTimeWithGap, print, printTable } from '../output.ts';
import { withClusterOptions, type ClusterOptions } from '../cluster/cluster-options.ts';
import {
  PING_SOURCE,
  resume,
  stateOf,
  suspend,
  suspensionOf,
  type KindName,
  type Step,
  type Suspendable,
} from '../cluster/suspension.ts';

/** The switch over everything that asks the functions for ticks, on a cluster. */

interface SwitchOptions extends ClusterOptions {
  all?: boolean;
  reason?: string;
}

export function addSwitch(program: Command): void {
  withClusterOptions(program.command('pause'))
    .description('No bead is dispatched automatically any more; the reaper continues.')
    .option('--all', 'stop the reaper, too')
    .option('--reason <text>', 'shown by kn beads status')
    .action(async (_, command: Command) => {
      const options = command.optsWithGlobals<SwitchOptions>();
      const { all = false, reason } = options;
      await change(options, all, (kind, object) => suspend(kind, object, by(reason)));
      print(
        all
          ? 'Nothing is dispatched or reaped automatically.'
          : 'Nothing is dispatched automatically. The reaper continues: agents that stall are still noticed.',
      );
      print('A tick that has begun ends by itself, and manual dispatch in BeadBoard continues.');
    });

  withClusterOptions(program.command('resume'))
    .description('Brings back what was paused, with the schedules it had.')
    .action(async (_, command: Command) => {
      const cluster = await change(command.optsWithGlobals<SwitchOptions>(), true, resume);
      print('Beads are dispatched automatically.');
      await tellOfLastGuard(cluster, 'But ');
    });
}

/** Who paused, and why, for the annotation. */
function by(reason: string | undefined): string | undefined {
  const parts = [process.env['USER'], reason].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(': ');
}

async function change(
  options: ClusterOptions,
  all: boolean,
  decide: (kind: ReturnType<typeof suspensionOf>, object: Suspendable) => Step,
): Promise<Cluster> {
  const cluster = await open(options);
  const said: string[] = [];
  // All is changed before anything is printed: an output that is closed must not stop half-way.
  for (const { function: name, kind, name: object } of PARTS) {
    if (name === 'reap' && !all) continue;
    const step = await cluster.change(kind, object, (each) => decide(suspensionOf(kind), each));
    if (step === undefined) continue;
    said.push(`${kind} '${object}' in namespace '${cluster.namespace}' ${step.said}.`);
    if (step.failed === true) process.exitCode = 1;
  }
  if (said.length === 0) throw nothingThere(cluster.namespace);
  for (const line of said) print(line);
  return cluster;
}

/**
 * The part of `status` that is about the cluster.
 * @throws when there is none, or it has no part of this project.
 */
export async function printSwitches(options: ClusterOptions): Promise<void> {
  const cluster = await open(options);
  const rows = [['FUNCTION', 'ASKED BY', 'NAME', 'STATE', 'SETTING']];
  const next: string[] = [];
  const now = new Date();
  for (const { function: name, kind, name: object } of PARTS) {
    const found = await cluster.find(kind, object);
    if (found === undefined) continue;
    rows.push([name, kind, object, ...stateWords(kind, found)]);
    const at = kind === 'PingSource' ? nextTickAt(found) : undefined;
    if (at !== undefined) next.push(`${name} at ${localTimeWithGap(at.toISOString(), now)}`);
  }
  if (rows.length === 1) throw nothingThere(cluster.namespace);
  printTable(rows);
  if (next.length > 0) print(`Next tick:    ${next.join(', ')}`);
  if (rows.some(([, kind]) => kind === 'Trigger')) {
    // The Triggers come with the watcher, in the component wake-up.
    print(
      `Metrics:      kubectl port-forward -n ${cluster.namespace} svc/beads-watch 8080:80; /metrics`,
    );
  }
  await tellOfLastGuard(cluster);
}

/**
 * The client of the Kubernetes API takes 0.7 s to load; a command about the database does without.
 */
async function open(options: ClusterOptions): Promise<Cluster> {
  const { Cluster: Client } = await import('../cluster/cluster.ts');
  return new Client(options);
}

/** @returns when the schedule of a PingSource comes next; `undefined` when it never does. */
function nextTickAt(object: Suspendable): Date | undefined {
  const state = stateOf(PING_SOURCE, object);
  if (state.name !== 'active') return undefined;
  const { timezone } = object.spec;
  try {
    // As Knative: in UTC unless the source names a time zone.
    const cron = new Cron(String(state.setting), {
      timezone: typeof timezone === 'string' ? timezone : 'UTC',
    });
    return cron.nextRun() ?? undefined;
  } catch {
    // The table shows the schedule, and Knative says what is wrong with it.
    return undefined;
  }
}

function stateWords(kind: KindName, object: Suspendable): string[] {
  const suspension = suspensionOf(kind);
  const state = stateOf(suspension, object);
  switch (state.name) {
    case 'active':
      return ['active', suspension.show(state.setting)];
    case 'suspended': {
      const by = state.by === undefined ? '' : ` (${state.by})`;
      return ['suspended', `${suspension.show(suspension.restore(state.kept))} kept${by}`];
    }
    case 'never':
      return ['suspended', 'nothing kept'];
  }
}

function nothingThere(namespace: string): Error {
  return new Error(
    `there is nothing of beads-auto-dispatch in namespace ${namespace}; name another with -n`,
  );
}

async function tellOfLastGuard(cluster: Cluster, but = ''): Promise<void> {
  const { PAUSED } = await cluster.settings(SETTINGS);
  if (PAUSED !== 'true' && PAUSED !== '1') return;
  print(`${but}PAUSED is set in the ConfigMap ${SETTINGS}: ticks come and do nothing.`);
}
