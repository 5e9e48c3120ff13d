import { closeSync, openSync } from 'node:fs';

import type { CloudEvent } from 'cloudevents';

import { errorMessage } from '../../shared/runtime/errors.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { serve } from '../../shared/runtime/server.ts';
import { readVariables, settingsOrExit } from '../../shared/settings/settings.ts';
import { subscriber } from '../subscriber.ts';
import { LogFile } from './log-file.ts';
import { auditLogVariables } from './settings.ts';

const { AUDIT_LOG_FILE: path, LOG_LEVEL: level } = settingsOrExit((env) =>
  readVariables(auditLogVariables, env),
);
const log = createLog('audit-log', { level, secrets: {} });
if (path !== undefined) exitUnlessWritable(path);
const file = path === undefined ? undefined : LogFile.open(path);
log.info({ path: path ?? 'stdout' }, 'audit-log starts');

serve(
  'audit-log',
  subscriber(log, async (event, data) => {
    const whole: CloudEvent<unknown> = event.cloneWith({ data });
    if (file === undefined) log.info({ event: whole }, 'event');
    else await (await file).append(whole);
  }),
  log,
);

function exitUnlessWritable(file: string): void {
  try {
    closeSync(openSync(file, 'a+'));
  } catch (error) {
    process.stderr.write(
      `AUDIT_LOG_FILE is ${JSON.stringify(file)}; it takes a file that can be written: ${errorMessage(error)}\n`,
    );
    process.exit(1);
  }
}
