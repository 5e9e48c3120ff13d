import type { Command } from 'commander';

import { nextTick } from '../../shared/rules/next-tick.ts';
import { withDatabase } from '../database.ts';
import { print, printData, printTable, withOutput, type OutputOptions } from '../output.ts';

/** The one target that there is. */
const TARGET = 'beadboard';

export function addNext(program: Command): void {
  withOutput(program.command('next'))
    .description(
      'What the next tick does, bead by bead, as long as each is accepted; without doing it.',
    )
    .action(async (options: OutputOptions) => {
      await withDatabase(
        async ({ settings, policy, beads, surroundings, unasked }) => {
          const snapshot = await beads.readSnapshot();
          const { dispatch, skipped } = nextTick(snapshot, policy, surroundings);
          const view = {
            paused: settings.PAUSED,
            dispatch: (settings.PAUSED ? [] : dispatch).map(({ bead, attempt }) => ({
              id: bead.id,
              attempt,
              target: TARGET,
            })),
            skipped: skipped.map(({ id, code, message, until }) => ({
              id,
              code,
              message,
              until: until?.toISOString(),
            })),
            notAsked: unasked,
          };
          if (printData(options, view)) return;
          if (view.paused) print('Dispatch is paused: the next tick does nothing.');
          const rows = [
            ...view.dispatch.map(({ id, attempt }) => [
              id,
              'dispatch',
              `attempt ${attempt}, to ${TARGET}`,
            ]),
            ...view.skipped.map(({ id, message }) => [id, 'skip', message]),
          ];
          if (rows.length === 0) print('The next tick finds nothing to do.');
          else printTable(options.headers ? [['NAME', 'ACTION', 'WHY'], ...rows] : rows);
          for (const each of unasked) print(`Not asked: ${each}`);
        },
        { asks: true },
      );
    });
}
