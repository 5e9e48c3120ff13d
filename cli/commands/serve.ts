import type { Command } from 'commander';

import { readDispatchSettings, settingsOrExit } from '../../shared/settings/settings.ts';
import { findBeadsDir } from '../database.ts';
import { readSchedules } from '../serve/schedules.ts';

export function addServe(program: Command): void {
  program
    .command('serve')
    .description(
      'Watcher, dispatcher and reaper in one process, for where there is no Knative; with the settings of the functions.',
    )
    .action(async () => {
      const folder = findBeadsDir();
      if (folder !== undefined) process.env['BEADS_DIR'] = folder;
      const settings = settingsOrExit(readDispatchSettings);
      const schedules = settingsOrExit(readSchedules);
      // Every other command starts faster without it.
      const { serveAll } = await import('../serve/serve.ts');
      await serveAll(settings, schedules);
      process.exit(0);
    });
}
