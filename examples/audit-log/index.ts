import { http } from '@google-cloud/functions-framework';
import type { CloudEvent } from 'cloudevents';
import { z } from 'zod';

import { messageOf } from '../../shared/errors.ts';
import { createLog } from '../../shared/log.ts';
import { readVariables, settingsOrExit } from '../../shared/settings.ts';
import { logLevel } from '../../shared/variables.ts';
import { subscriber } from '../subscriber.ts';
import { LogFile } from './log-file.ts';

const variables = z.object({
  AUDIT_LOG_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('The file that keeps the stream; without it events go to stdout.'),
  LOG_LEVEL: logLevel,
});

const { AUDIT_LOG_FILE: path, LOG_LEVEL: level } = settingsOrExit((env) =>
  readVariables(variables, env),
);
const log = createLog('audit-log', { level, secrets: [] });
const file = path === undefined ? undefined : await openOrExit(path);
log.info({ path: path ?? 'stdout' }, 'audit-log starts');

http(
  'audit-log',
  subscriber(log, async (event, data) => {
    const whole: CloudEvent<unknown> = event.cloneWith({ data });
    if (file === undefined) log.info({ event: whole }, 'event');
    else await file.append(whole);
  }),
);

async function openOrExit(file: string): Promise<LogFile> {
  try {
    return await LogFile.open(file);
  } catch (error) {
    process.stderr.write(
      `AUDIT_LOG_FILE is ${JSON.stringify(file)}; it takes a file that can be written: ${messageOf(error)}\n`,
    );
    process.exit(1);
  }
}
