import { setTimeout as pause } from 'node:timers/promises';

import { Option, type Command } from 'commander';

import { BEAD_STATES, listOf, type BeadState, type ListedBead } from '../../shared/views/list.ts';
import { withDatabase } from '../database.ts';
import { age } from '../duration.ts';
import {
  inLocalTime,
  print,
  printRows,
  withOutput,
  type Column,
  type OutputOptions,
} from '../output.ts';

interface ListOptions extends OutputOptions {
  state?: BeadState;
  watch?: boolean;
}

/** How often the list is read again with `--watch`. */
const WATCH_MS = 2_000;

const COLUMNS: readonly Column<ListedBead>[] = [
  { title: 'NAME', of: ({ id }) => id },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'PRI', of: ({ priority }) => (priority === null ? '-' : String(priority)) },
  { title: 'ATTEMPT', of: ({ attempt }) => (attempt === null ? '-' : String(attempt)) },
  { title: 'WHY', of: ({ why }) => (why === '' ? '-' : why) },
  {
    title: 'MESSAGE',
    of: ({ message }) => (message === '' ? '-' : inLocalTime(message)),
    isWide: true,
  },
  { title: 'TITLE', of: ({ title }) => title, isWide: true },
  { title: 'AGE', of: ({ ageSeconds }) => age(ageSeconds) },
];

export function addList(program: Command): void {
  withOutput(program.command('list'))
    .description('The beads of the agent that are not closed, one row each.')
    .addOption(new Option('--state <state>', 'only these').choices(BEAD_STATES))
    .option('-w, --watch', 'again and again, until it is interrupted')
    .action(async (options: ListOptions) => {
      for (;;) {
        const rows = await withDatabase(
          async ({ policy, beads, inspector, surroundings }) =>
            listOf(
              await beads.readSnapshot(),
              (await inspector.overview()).blocked,
              policy,
              surroundings,
            ),
          { asks: true },
        );
        const { state } = options;
        printRows(
          rows.filter((row) => state === undefined || row.state === state),
          COLUMNS,
          options,
        );
        if (options.watch !== true) return;
        await pause(WATCH_MS);
        print('');
      }
    });
}
