import { Cron } from 'croner';
import * as z from 'zod';

import { readVariables } from '../../shared/settings/settings.ts';

const cron = z.string().refine(
  (pattern) => {
    try {
      new Cron(pattern, { paused: true }).stop();
      return true;
    } catch {
      return false;
    }
  },
  { error: 'a schedule in cron syntax, such as */2 * * * *' },
);

/** What `serve` reads beside the settings of the functions. */
export const serveVariables = z.object({
  DISPATCH_SCHEDULE: cron
    .default('*/2 * * * *')
    .describe(
      'When the dispatcher ticks in any case, in cron syntax and UTC; a change wakes it sooner.',
    ),
  REAP_SCHEDULE: cron.default('*/10 * * * *').describe('The same for the reaper.'),
});

export interface Schedules {
  dispatch: string;
  reap: string;
}

/** @throws {SettingsError} for what is no schedule. */
export function readSchedules(env: NodeJS.ProcessEnv): Schedules {
  const { DISPATCH_SCHEDULE: dispatch, REAP_SCHEDULE: reap } = readVariables(serveVariables, env);
  return { dispatch, reap };
}
