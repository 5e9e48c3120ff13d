import { createLog } from '../../shared/runtime/log.ts';
import { serve } from '../../shared/runtime/server.ts';
import { readDispatchSettings, settingsOrExit } from '../../shared/settings/settings.ts';
import { tickFunction } from '../../shared/tick/tick-function.ts';
import { dispatcher } from './dispatcher.ts';

const settings = settingsOrExit(readDispatchSettings);
const log = createLog('dispatch', settings.log);

serve('dispatch', tickFunction(dispatcher(settings, log), settings.ACCEPT_PLAIN_POST), log);
