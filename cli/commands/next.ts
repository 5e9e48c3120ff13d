import type { Command } from 'commander';

import { nextOf } from '../../shared/views/next.ts';
import { withDatabase } from '../database.ts';
import {
  inLocalTime,
  print,
  printData,
  printStory,
  withOutput,
  type OutputOptions,
} from '../output.ts';

export function addNext(program: Command): void {
  withOutput(program.command('next'))
    .description(
      'What the next tick does, bead by bead, as long as each is accepted; without doing it.',
    )
    .action(async (options: OutputOptions) => {
      await withDatabase(
        async ({ settings, policy, beads, surroundings, unasked }) => {
          const snapshot = await beads.readSnapshot();
          const view = nextOf(snapshot, policy, surroundings, {
            paused: settings.PAUSED,
            notAsked: unasked,
          });
          if (printData(options, view)) return;
          if (view.paused) print('Dispatch is paused: the next tick does nothing.');
          const rows = [
            ...view.dispatch.map(({ id, attempt, target }) => [
              id,
              'dispatch',
              `attempt ${attempt}, to ${target}`,
            ]),
            ...view.skipped.map(({ id, message }) => [id, 'skip', inLocalTime(message)]),
          ];
          if (rows.length === 0) print('The next tick finds nothing to do.');
          else printStory(options.headers ? [['NAME', 'ACTION', 'WHY'], ...rows] : rows);
          for (const each of unasked) print(`Not asked: ${each}`);
        },
        { asks: true },
      );
    });
}
