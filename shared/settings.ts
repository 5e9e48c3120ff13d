import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { SettingsError } from './errors.ts';

/**
 * Every setting, once: how it is parsed, its default, and the line that describes it. The README's
 * table is generated from here (`npm run docs`).
 */

/** Environment variables hold text, and an empty one counts as not set (as bd reads its own). */
const text = z.string().min(1);
const port = whole(1, 65_535);
const milliseconds = whole(1, 86_400_000);
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'an http or https address' })
  .refine((value) => !/[?#]|\/\/[^/]*@/.test(value), {
    error: 'an http or https address without user, password, query and fragment',
  });
const yesNo = z.stringbool({
  truthy: ['true', '1'],
  falsy: ['false', '0'],
  error: 'true or false',
});

function whole(min: number, max: number) {
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
  BEADS_DOLT_PASSWORD: text.optional().describe('Password of that user. From a Secret.'),
  BEADS_DOLT_SERVER_TLS: yesNo
    .optional()
    .describe("Connect with TLS, checked against the system's CAs."),
  BEADBOARD_URL: httpUrl.optional().describe('Base address of BeadBoard. Required for `dispatch`.'),
  AGENT_SERVICE_URL: httpUrl
    .optional()
    .describe(
      'Base address of the agent service: free capacity for `dispatch`, job states for `reap`.',
    ),
  AGENT_SERVICE_TOKEN: text.optional().describe('Bearer token for the job states. From a Secret.'),
  K_SINK: httpUrl
    .optional()
    .describe('Where events go. Set by a SinkBinding. Without it events are logged.'),
  K_CE_OVERRIDES: overrides
    .optional()
    .describe('Extra CloudEvent extensions as JSON. Set by a SinkBinding.'),
  PAUSED: yesNo.default(false).describe('A tick answers 204 and does nothing.'),
  AGENT_ASSIGNEE: text.default('agent').describe('The assignee whose beads are dispatched.'),
  MAX_DISPATCHES_PER_TICK: whole(1, 1000)
    .default(10)
    .describe('Most beads one tick hands over; it ends earlier when BeadBoard is busy.'),
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
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'trace, debug, info, warn, error, fatal or silent',
    })
    .default('info')
    .describe("pino's level."),
});

type VariableName = keyof typeof variables.shape;

/** The variables whose values are never repeated in a message. */
const secret: ReadonlySet<string> = new Set<VariableName>([
  'BEADS_DOLT_PASSWORD',
  'AGENT_SERVICE_TOKEN',
]);

/** What is read of bd's `metadata.json` (bd's internal/configfile); the rest of it is bd's own. */
const filled = z.string().transform((value) => value || undefined);
const metadataFile = z.object({
  dolt_server_host: filled.optional(),
  dolt_server_port: z.int().min(0).max(65_535).optional(),
  dolt_server_user: filled.optional(),
  dolt_database: filled.optional(),
  dolt_server_tls: z.boolean().optional(),
  project_id: filled.optional(),
});

/** bd's own defaults (DefaultDoltServerPort, DefaultDoltServerUser). Its default host, the own
 * machine, makes no sense in a pod. */
const BD_DEFAULT_PORT = 3307;
const BD_DEFAULT_USER = 'root';

export interface DatabaseSettings {
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  database: string;
  tls: boolean;
}

export type Settings = Omit<
  z.output<typeof variables>,
  'BEADS_DIR' | 'K_CE_OVERRIDES' | `BEADS_DOLT_${string}`
> & {
  database: DatabaseSettings;
  /** Names the project in event sources: bd's `project_id`, or else the database. */
  project: string;
  /** Extensions that a SinkBinding adds to every event. */
  eventExtensions: Record<string, string>;
};

export type DispatchSettings = Settings & { BEADBOARD_URL: string };

/**
 * Reads the settings that both functions share.
 * @param env the process environment; empty values count as not set.
 * @throws {SettingsError} one line that names the variable, what it got and what it takes.
 */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const given = Object.fromEntries(
    Object.keys(variables.shape).flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  );
  const parsed = variables.safeParse(given);
  if (!parsed.success) {
    throw new SettingsError(parsed.error.issues.map((issue) => explain(issue, env)).join('; '));
  }
  const {
    BEADS_DIR,
    BEADS_DOLT_SERVER_HOST: host,
    BEADS_DOLT_SERVER_PORT: port,
    BEADS_DOLT_SERVER_USER: user,
    BEADS_DOLT_SERVER_DATABASE: name,
    BEADS_DOLT_PASSWORD: password,
    BEADS_DOLT_SERVER_TLS: tls,
    K_CE_OVERRIDES,
    ...rest
  } = parsed.data;
  const file = BEADS_DIR === undefined ? {} : readMetadataFile(BEADS_DIR);
  const database = {
    host:
      host ?? file.dolt_server_host ?? missing('BEADS_DOLT_SERVER_HOST', "the Dolt server's host"),
    port: port ?? (file.dolt_server_port || BD_DEFAULT_PORT),
    user: user ?? file.dolt_server_user ?? BD_DEFAULT_USER,
    password,
    database:
      name ?? file.dolt_database ?? missing('BEADS_DOLT_SERVER_DATABASE', "the beads' database"),
    tls: tls ?? file.dolt_server_tls ?? false,
  };
  return {
    ...rest,
    database,
    project: file.project_id ?? database.database,
    eventExtensions: K_CE_OVERRIDES?.extensions ?? {},
  };
}

/**
 * Reads the settings of `dispatch`, which cannot work without BeadBoard.
 * @throws {SettingsError} as {@link readSettings}, or when `BEADBOARD_URL` is missing.
 */
export function readDispatchSettings(env: NodeJS.ProcessEnv): DispatchSettings {
  const settings = readSettings(env);
  const { BEADBOARD_URL } = settings;
  if (BEADBOARD_URL === undefined) {
    throw new SettingsError("BEADBOARD_URL is not set; it takes BeadBoard's base address");
  }
  return { ...settings, BEADBOARD_URL };
}

/** Ends the start with one line on stderr and exit code 1 when a setting is bad. */
export function settingsOrExit<T>(read: (env: NodeJS.ProcessEnv) => T): T {
  try {
    return read(process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

function explain(issue: z.core.$ZodIssue, env: NodeJS.ProcessEnv): string {
  const name = String(issue.path[0]);
  const value = JSON.stringify(env[name])?.replace(/\/\/[^/]*@/, '//…@');
  const got = secret.has(name) ? '(a secret)' : value;
  return `${name} is ${got}; it takes ${issue.message}`;
}

function readMetadataFile(folder: string): z.output<typeof metadataFile> {
  const path = join(folder, 'metadata.json');
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SettingsError(
      // The message of a JSON error would repeat what is in the file.
      `BEADS_DIR is ${JSON.stringify(folder)}; it takes a folder with bd's metadata.json, which ${
        error instanceof SyntaxError ? 'is not JSON there' : 'cannot be read there'
      }`,
      { cause: error },
    );
  }
  const parsed = metadataFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new SettingsError(
    `BEADS_DIR is ${JSON.stringify(folder)}; its metadata.json has ${problems.join(', ')}`,
  );
}

function missing(name: VariableName, takes: string): never {
  throw new SettingsError(
    `${name} is not set and no metadata.json names it; it takes ${takes} (or set BEADS_DIR)`,
  );
}
