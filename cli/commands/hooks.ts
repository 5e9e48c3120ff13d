import type { Command } from 'commander';

import { installHooks, type HooksOptions } from '../hooks.ts';
import { print } from '../output.ts';

export function addHooks(program: Command): void {
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
}
