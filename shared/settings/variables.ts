import * as z from 'zod';

/**
 * Every setting, once: how it is parsed, its default, and the line that describes it.
 * docs/settings.md is generated from here (`npm run docs`).
 */

/** Environment variables hold text, and an empty one counts as not set (as bd reads its own). */
const text = z.string().min(1);
const port = whole(1, 65_535);
const milliseconds = whole(1, 86_400_000);
export const httpUrl = z
  .url({ protocol: /^https?$/, error: 'an http or https address' })
  .refine((value) => !/[?#]|\/\/[^/]*@/.test(value), {
    error: 'an http or https address without user, password, query and fragment',
  });
const yesNo = z.stringbool({
  truthy: ['true', '1'],
  falsy: ['false', '0'],
  error: 'true or false',
});

export const logLevel = z
  .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    error: 'trace, debug, info, warn, error, fatal or silent',
  })
  .default('info')
  .describe("pino's level.");

/** Marks a variable whose value is never repeated in a message or a log. */
export const secret = <T extends z.ZodType>(schema: T, description: string): T =>
  schema.meta({ description, secret: true });

/** A whole number within bounds. */
export function whole(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}

const EXTENSIONS = 'extensions with names of a–z and 0–9 and text values';
const overrides = z
  .string()
  .transform((value, context): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      context.addIssue('JSON such as {"extensions":{"team":"platform"}}');
      return z.NEVER;
    }
  })
  .pipe(
    z.object(
      {
        extensions: z
          .record(z.string().regex(/^[a-z0-9]{1,20}$/), z.string({ error: EXTENSIONS }), {
            error: EXTENSIONS,
          })
          .default({}),
      },
      { error: 'JSON such as {"extensions":{"team":"platform"}}' },
    ),
  );

export const variables = z.object({
  BEADS_DIR: text
    .optional()
    .describe("Folder with bd's own `metadata.json`: host, port, user, database."),
  BEADS_DOLT_SERVER_HOST: text
    .optional()
    .describe('Host of the Dolt SQL server. Wins over the file.'),
  BEADS_DOLT_SERVER_PORT: port.optional().describe('Port of the Dolt SQL server.'),
  BEADS_DOLT_SERVER_USER: text.optional().describe('SQL user; `root` when nothing names one.'),
  BEADS_DOLT_SERVER_DATABASE: text.optional().describe('Database that holds the beads.'),
  BEADS_DOLT_PASSWORD: secret(text.optional(), 'Password of that user. From a Secret.'),
  BEADS_DOLT_SERVER_TLS: yesNo
    .optional()
    .describe(
      "Connect with TLS; the certificate is checked against the known CAs (and NODE_EXTRA_CA_CERTS) and the server's name, which must not be an address.",
    ),
  BEADBOARD_URL: httpUrl.optional().describe('Base address of BeadBoard. Required for `dispatch`.'),
  AGENT_SERVICE_URL: httpUrl
    .optional()
    .describe(
      'Base address of the agent service: free capacity for `dispatch`, job states for `reap`.',
    ),
  AGENT_SERVICE_TOKEN: secret(text.optional(), 'Bearer token for the job states. From a Secret.'),
  K_SINK: httpUrl
    .optional()
    .describe(
      'Where events go. Set by a SinkBinding. Without it events are kept in the outbox, and logged.',
    ),
  K_CE_OVERRIDES: overrides
    .optional()
    .describe('Extra CloudEvent extensions as JSON. Set by a SinkBinding.'),
  PORT: port.default(8080).describe('Where the function listens. Set by Knative.'),
  BASE_PATH: z
    .string()
    .regex(/^(\/[\w.~-]+)*$/, { error: 'a path such as /beads, without a slash at its end' })
    .default('')
    .describe('Path under which the watcher serves its page and API, behind a reverse proxy.'),
  PAUSED: yesNo
    .default(false)
    .describe('A tick answers 204 and does nothing; events that wait continue waiting.'),
  AGENT_ASSIGNEE: z
    .string()
    .refine((value) => value.trim() === value && value !== '', {
      error: 'a name without blanks around it',
    })
    .default('agent')
    .describe('The assignee whose beads are dispatched.'),
  MAX_DISPATCHES_PER_TICK: whole(1, 1000)
    .default(10)
    .describe('Most beads that one tick dispatches; it ends earlier when BeadBoard is busy.'),
  MAX_IN_FLIGHT: whole(1, 10_000)
    .optional()
    .describe('Most beads in progress for the assignee at once. No bound when not set.'),
  MAX_ATTEMPTS: whole(1, 1000)
    .default(5)
    .describe('Confirmed failures of one bead before it is blocked.'),
  RETRY_BASE_MS: milliseconds
    .default(120_000)
    .describe('Wait after the first failure of a bead; doubles with each one.'),
  RETRY_MAX_MS: milliseconds.default(1_800_000).describe('The longest such wait.'),
  DISPATCH_TIMEOUT_MS: milliseconds.default(30_000).describe('Time for one POST to BeadBoard.'),
  TICK_TIMEOUT_MS: milliseconds.default(100_000).describe('A tick takes no new bead after this.'),
  REAP_AFTER_MINUTES: whole(1, 100_000)
    .default(30)
    .describe('A bead in progress that is not updated for longer than this is blocked.'),
  ACCEPT_PLAIN_POST: yesNo
    .default(false)
    .describe(
      "Take a POST without a body and without `ce-` headers for a tick, too: what OpenFaaS's cron-connector sends.",
    ),
  LOG_LEVEL: logLevel,
});

export type VariableName = keyof typeof variables.shape;

/** The names of those that are marked as {@link secret}. */
export function secretsOf(schema: z.ZodObject): string[] {
  return Object.entries(schema.shape).flatMap(([name, variable]) =>
    variable.meta()?.['secret'] === true ? [name] : [],
  );
}
