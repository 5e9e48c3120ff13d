import { createLog } from '../../shared/runtime/log.ts';
import { serve } from '../../shared/runtime/server.ts';
import { readSettings, settingsOrExit } from '../../shared/settings/settings.ts';
import { tickFunction } from '../../shared/tick/tick-function.ts';
import { reaper } from './reaper.ts';

const settings = settingsOrExit(readSettings);
const log = createLog('reap', settings.log);

serve('reap', tickFunction(reaper(settings, log), settings.ACCEPT_PLAIN_POST), log);
