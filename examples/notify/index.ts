import { createLog } from '../../shared/runtime/log.ts';
import { serve } from '../../shared/runtime/server.ts';
import { readVariables, secretsIn, settingsOrExit } from '../../shared/settings/settings.ts';
import { subscriber } from '../subscriber.ts';
import { notifier } from './notify.ts';
import { notifyVariables } from './settings.ts';

const settings = settingsOrExit((env) => readVariables(notifyVariables, env));
const secrets = secretsIn(notifyVariables, process.env);
const log = createLog('notify', { level: settings.LOG_LEVEL, secrets });
log.info({ format: settings.NOTIFY_FORMAT, events: settings.NOTIFY_EVENTS }, 'notify starts');

serve('notify', subscriber(log, notifier(settings, log)), log);
