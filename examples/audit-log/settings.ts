import * as z from 'zod';

import { logLevel } from '../../shared/settings/variables.ts';

/** The settings of the audit log, from the environment. */
export const auditLogVariables = z.object({
  AUDIT_LOG_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('The file that keeps the stream; without it events go to stdout.'),
  LOG_LEVEL: logLevel,
});
