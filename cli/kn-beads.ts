import { Command } from 'commander';

import { VERSION } from '../shared/runtime/version.ts';
import { withClusterOptions } from './cluster/cluster-options.ts';
import { addCompletion } from './commands/completion.ts';
import { addHistory } from './commands/history.ts';
import { addHooks } from './commands/hooks.ts';
import { addList } from './commands/list.ts';
import { addNext } from './commands/next.ts';
import { addOutbox } from './commands/outbox.ts';
import { addRetry } from './commands/retry.ts';
import { addStatus } from './commands/status.ts';
import { addSwitch } from './commands/switch.ts';
import { addWait } from './commands/wait.ts';
import { addWhy } from './commands/why.ts';
import { run } from './run.ts';

/** One program with three names: `kn beads`, `kubectl beads` and `beads-dispatch`. */

const program = withClusterOptions(new Command('kn beads'))
  .version(VERSION)
  .description(
    "Shows and steers the automatic dispatch of beads. Reads bd's database: BEADS_DIR, .beads in this folder or above, or the variables of the functions.",
  );

addStatus(program);
addList(program);
addWhy(program);
addNext(program);
addHistory(program);
addOutbox(program);
addRetry(program);
addWait(program);
addSwitch(program);
addCompletion(program);
addHooks(program);

void run(program);
