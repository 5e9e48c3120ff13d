import { Command } from 'commander';

import { SettingsError } from '../shared/runtime/errors.ts';
import { VERSION } from '../shared/runtime/version.ts';
import { withClusterOptions, type ClusterOptions } from './cluster-options.ts';
import { addCompletion } from './commands/completion.ts';
import { addHistory } from './commands/history.ts';
import { addList } from './commands/list.ts';
import { addNext } from './commands/next.ts';
import { addOutbox } from './commands/outbox.ts';
import { addRetry } from './commands/retry.ts';
import { printStatus } from './commands/status.ts';
import { addSwitch, printSwitches } from './commands/switch.ts';
import { addWait } from './commands/wait.ts';
import { addWhy } from './commands/why.ts';
import { installHooks, type HooksOptions } from './hooks.ts';
import { print, withOutput, type OutputOptions } from './output.ts';
import { run } from './run.ts';

/** One program with three names: `kn beads`, `kubectl beads` and `beads-dispatch`. */

const program = withClusterOptions(new Command('kn beads'))
  .version(VERSION)
  .description(
    "Shows and steers the automatic dispatch of beads. Reads bd's database: BEADS_DIR, .beads in this folder or above, or the variables of the functions.",
  );

withClusterOptions(withOutput(program.command('status')))
  .description(
    'How dispatch stands. Exit code 0: well; 1: cannot be read; 2: somebody should look at it.',
  )
  .action(async (_, command: Command) => {
    const options = command.optsWithGlobals<OutputOptions & ClusterOptions>();
    const database = await printStatus(options).catch((error: unknown) => {
      // Without a database of bd's around, the cluster alone is asked.
      if (error instanceof SettingsError) return error;
      throw error;
    });
    if (options.output !== undefined && !(database instanceof SettingsError)) return;
    try {
      await printSwitches(options);
    } catch (error) {
      if (database instanceof SettingsError) throw error;
      // The database has answered; a cluster is not everybody's.
    }
  });
addList(program);
addWhy(program);
addNext(program);
addHistory(program);
addOutbox(program);
addRetry(program);
addWait(program);
addSwitch(program);
addCompletion(program);

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
