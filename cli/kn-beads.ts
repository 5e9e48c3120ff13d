import { Command } from 'commander';

import {
  Cluster,
  ClusterError,
  suspensionOf,
  withClusterOptions,
  type ClusterOptions,
} from './cluster.ts';
import { VERSION } from '../shared/runtime/version.ts';
import { installHooks, type HooksOptions } from './hooks.ts';
import { PARTS, SETTINGS } from './parts.ts';
import { print, run } from './run.ts';
import { resume, stateOf, suspend, type Step, type Suspendable } from './suspension.ts';

/** `kn beads pause|resume|status|hooks`: the switch over everything that asks the functions for ticks. */

interface SwitchOptions extends ClusterOptions {
  all?: boolean;
}

const program = withClusterOptions(new Command('kn beads'))
  .version(VERSION)
  .description(
    'ReconnectDelay and resumes the automatic dispatch of beads, and says how it stands.',
  );

withClusterOptions(program.command('pause'))
  .description('No bead is dispatched automatically any more; the reaper continues.')
  .option('--all', 'stop the reaper, too')
  .action(async (_, command: Command) => {
    const options = command.optsWithGlobals<SwitchOptions>();
    await change(options, options.all === true, suspend);
    print(
      options.all === true
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

withClusterOptions(program.command('status'))
  .description('Says what is paused.')
  .action(async (_, command: Command) => {
    const cluster = new Cluster(command.optsWithGlobals<ClusterOptions>());
    const rows = [['FUNCTION', 'ASKED BY', 'NAME', 'STATE', 'SETTING']];
    for (const { function: name, kind, name: object } of PARTS) {
      const found = await cluster.find(kind, object);
      if (found !== undefined) rows.push([name, kind, object, ...stateWords(kind, found)]);
    }
    if (rows.length === 1) throw nothingThere(cluster.namespace);
    const widths = rows[0]?.map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0)),
    );
    for (const row of rows) {
      print(
        row
          .map((cell, column) => cell.padEnd((widths?.[column] ?? 0) + 2))
          .join('')
          .trimEnd(),
      );
    }
    await tellOfLastGuard(cluster);
  });

program
  .command('hooks')
  .description(
    'Makes bd itself wake the dispatcher, faster than the watcher: a script in .beads/hooks.',
  )
  .requiredOption(
    '--url <address>',
    'where wake-ups go: the ingress of the broker, as seen from here',
  )
  .option('--dir <folder>', "bd's folder", '.beads')
  .option('--assignee <name>', 'whose beads are dispatched (AGENT_ASSIGNEE)', 'agent')
  .option('--force', 'replace hooks that are not ours')
  .action(async (options: HooksOptions) => {
    for (const line of await installHooks(options)) print(line);
  });

void run(program);

async function change(
  options: ClusterOptions,
  all: boolean,
  decide: (kind: ReturnType<typeof suspensionOf>, object: Suspendable) => Step,
): Promise<Cluster> {
  const cluster = new Cluster(options);
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

function stateWords(kind: Parameters<typeof suspensionOf>[0], object: Suspendable): string[] {
  const suspension = suspensionOf(kind);
  const state = stateOf(suspension, object);
  switch (state.name) {
    case 'active':
      return ['active', suspension.show(state.setting)];
    case 'suspended':
      return ['suspended', `${suspension.show(suspension.restore(state.kept))} kept`];
    case 'never':
      return ['suspended', 'nothing kept'];
  }
}

function nothingThere(namespace: string): ClusterError {
  return new ClusterError(
    `there is nothing of beads-auto-dispatch in namespace ${namespace}; name another with -n`,
  );
}

async function tellOfLastGuard(cluster: Cluster, but = ''): Promise<void> {
  const { PAUSED } = await cluster.settings(SETTINGS);
  if (PAUSED !== 'true' && PAUSED !== '1') return;
  print(`${but}PAUSED is set in the ConfigMap ${SETTINGS}: ticks come and do nothing.`);
}
