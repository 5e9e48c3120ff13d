import { Command } from 'commander';

import { VERSION } from '../shared/runtime/version.ts';
import { withClusterOptions, type ClusterOptions } from './cluster/cluster-options.ts';
import { addCompletion } from './commands/completion.ts';
import { addHistory } from './commands/history.ts';
import { addHooks } from './commands/hooks.ts';
import { addList } from './commands/list.ts';
import { addNext } from './commands/next.ts';
import { addOutbox } from './commands/outbox.ts';
import { addRetry } from './commands/retry.ts';
import { addServe } from './commands/serve.ts';
import { addStatus } from './commands/status.ts';
import { addSwitch } from './commands/switch.ts';
import { addVerify } from './verify/command.ts';
import { addWait } from './commands/wait.ts';
import { addWhy } from './commands/why.ts';
import { run } from './run.ts';

/** One program with three names: `kn beads`, `kubectl beads` and `beads-dispatch`. */

const program = withClusterOptions(new Command('kn beads'))
  .version(VERSION)
  .description(
    "Shows and steers the automatic dispatch of beads. Reads bd's database: BEADS_DIR, .beads in this folder or above, or the variables of the functions.",
  );

program.option(
  '--from-cluster',
  'with the settings of the namespace, and a port-forward where one is needed',
);
let end = async () => {};
program.hook('preAction', async (_, command) => {
  const options = command.optsWithGlobals<ClusterOptions & { fromCluster?: boolean }>();
  if (options.fromCluster !== true) return;
  // Loading the client of the Kubernetes API takes longer than most commands.
  const { Cluster } = await import('./cluster/cluster.ts');
  const { useCluster } = await import('./cluster/from-cluster.ts');
  end = await useCluster(new Cluster(options), options);
});

addStatus(program);
addList(program);
addWhy(program);
addNext(program);
addHistory(program);
addOutbox(program);
addRetry(program);
addWait(program);
addSwitch(program);
addServe(program);
addVerify(program);
addCompletion(program);
addHooks(program);

void main();

async function main(): Promise<void> {
  await run(program);
  await end();
}
