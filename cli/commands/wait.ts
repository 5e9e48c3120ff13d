import { setTimeout as pause } from 'node:timers/promises';

import { Option, type Command } from 'commander';

import { theBead, withDatabase } from '../database.ts';
import { secondsIn } from '../duration.ts';
import { print } from '../output.ts';

const GOALS = ['dispatched', 'closed', 'blocked'] as const;
type Goal = (typeof GOALS)[number];
/** How often the bead is read. */
const POLL_MS = 500;

export function addWait(program: Command): void {
  program
    .command('wait')
    .description(
      'For scripts: ends when a bead is dispatched, closed or blocked; with exit code 1 when the time is over.',
    )
    .argument('<id>', 'the bead')
    .addOption(new Option('--for <goal>', 'what to wait for').choices(GOALS).makeOptionMandatory())
    .option('--timeout <duration>', 'how long', '60s')
    .action(async (id: string, options: { for: Goal; timeout: string }) => {
      const deadline = performance.now() + secondsIn(options.timeout) * 1000;
      await withDatabase(async ({ inspector }) => {
        for (;;) {
          const { status, marker, job } = await theBead(inspector, id);
          const isDispatched = marker?.name === 'dispatched' && status === 'in_progress';
          if (options.for === 'dispatched' ? isDispatched : status === options.for) {
            print(isDispatched ? `${id} is dispatched as job ${job?.id}` : `${id} is ${status}`);
            return;
          }
          if (performance.now() > deadline) {
            throw new Error(
              `bead ${id} is ${status}, and not ${options.for} after ${options.timeout}`,
            );
          }
          await pause(POLL_MS);
        }
      });
    });
}
