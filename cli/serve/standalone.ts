import { readDispatchSettings, settingsOrExit } from '../../shared/settings/settings.ts';
import { readSchedules } from './schedules.ts';
import { serveAll } from './serve.ts';

/** The image's `standalone`: what `beads-dispatch serve` does, without the command line. */
const settings = settingsOrExit(readDispatchSettings);
const schedules = settingsOrExit(readSchedules);
void serveAll(settings, schedules).then(() => process.exit(0));
