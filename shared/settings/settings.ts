import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

import * as z from 'zod';

import { SettingsError } from '../runtime/errors.ts';
import type { LogSettings } from '../runtime/log.ts';
import { withSecretFiles } from './secret-files.ts';
import { secretsOf, variables, type VariableName } from './variables.ts';

/** What is read of bd's `metadata.json` (bd's internal/configfile); the rest of it is bd's own. */
const filled = z.string().transform((value) => value || undefined);
const metadataFile = z.object({
  dolt_mode: filled.optional(),
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
  'BEADS_DIR' | 'K_CE_OVERRIDES' | 'LOG_LEVEL' | `BEADS_DOLT_${string}`
> & {
  database: DatabaseSettings;
  /** Names the project in events, `/beads/<project>`: bd's `project_id`, or else the database. */
  source: string;
  log: LogSettings;
  /** What an operator may not have meant, one line each, to be logged at the start. */
  warnings: string[];
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
  const {
    BEADS_DIR,
    BEADS_DOLT_SERVER_HOST: host,
    BEADS_DOLT_SERVER_PORT: port,
    BEADS_DOLT_SERVER_USER: user,
    BEADS_DOLT_SERVER_DATABASE: name,
    BEADS_DOLT_PASSWORD: password,
    BEADS_DOLT_SERVER_TLS: tls,
    K_CE_OVERRIDES,
    LOG_LEVEL,
    ...rest
  } = readVariables(variables, env);
  const file = BEADS_DIR === undefined ? {} : readMetadataFile(BEADS_DIR);
  const database = {
    host: host ?? file.dolt_server_host ?? missingHost(BEADS_DIR, file.dolt_mode),
    port: port ?? (file.dolt_server_port || BD_DEFAULT_PORT),
    user: user ?? file.dolt_server_user ?? BD_DEFAULT_USER,
    password,
    database:
      name ?? file.dolt_database ?? missing('BEADS_DOLT_SERVER_DATABASE', "the beads' database"),
    tls: tls ?? file.dolt_server_tls ?? false,
  };
  if (database.tls && isIP(database.host) !== 0) {
    throw new SettingsError(
      `BEADS_DOLT_SERVER_HOST is ${JSON.stringify(database.host)}; with TLS it takes the name in the server's certificate, not an address`,
    );
  }
  return {
    ...rest,
    database,
    log: { level: LOG_LEVEL, secrets: secretsIn(variables, env) },
    source: `/beads/${encodeURIComponent((file.project_id ?? database.database).toWellFormed())}`,
    warnings:
      (user ?? file.dolt_server_user) === undefined
        ? [
            `no SQL user is named, so it is ${BD_DEFAULT_USER}, who may do anything: set BEADS_DOLT_SERVER_USER`,
          ]
        : [],
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

/**
 * Reads environment variables by a schema, secrets also from the files that `NAME_FILE` names; empty
 * values count as not set.
 * @throws {SettingsError} a line for each bad one: the variable, what it got and what it takes.
 */
export function readVariables<T extends z.ZodObject>(
  schema: T,
  env: NodeJS.ProcessEnv,
): z.output<T> {
  const secrets = secretsOf(schema);
  const values = withSecretFiles(env, secrets);
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => (values[name] ? [[name, values[name]]] : [])),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => explain(issue, values, secrets));
  throw new SettingsError(lines.join('\n'));
}

/** What a log must hide, by the names of the variables. */
export function secretsIn(schema: z.ZodObject, env: NodeJS.ProcessEnv): Record<string, string> {
  const secrets = secretsOf(schema);
  const values = withSecretFiles(env, secrets);
  return Object.fromEntries(
    secrets.flatMap((name) => {
      const value = values[name];
      return value ? [[name, value]] : [];
    }),
  );
}

function explain(
  issue: z.core.$ZodIssue,
  env: NodeJS.ProcessEnv,
  secrets: readonly string[],
): string {
  const name = String(issue.path[0]);
  const value = shown(env[name] ?? '');
  const got = !env[name]
    ? 'not set'
    : secrets.includes(name)
      ? 'set to something that is not shown'
      : value;
  return `${name} is ${got}; it takes ${issue.message}`;
}

/**
 * A value as it may be repeated: of an address only scheme and host, since the rest may hold a
 * secret.
 */
function shown(value: string): string {
  const address = /^(\w+:\/\/)(?:[^/?#]*@)?([^/?#]*)(.*)$/.exec(value);
  return JSON.stringify(
    address === null ? value : `${address[1]}${address[2]}${address[3] ? '/…' : ''}`,
  );
}

function readMetadataFile(folder: string): z.output<typeof metadataFile> {
  const path = join(folder, 'metadata.json');
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (existsSync(join(folder, '.beads', 'metadata.json'))) {
      throw new SettingsError(
        `BEADS_DIR is ${JSON.stringify(folder)}; it takes the folder .beads in it: ${JSON.stringify(join(folder, '.beads'))}`,
        { cause: error },
      );
    }
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

/** bd keeps its database in its own folder unless it is told to use a server. */
function missingHost(folder: string | undefined, mode: string | undefined): never {
  if (folder === undefined || mode === 'server') {
    return missing('BEADS_DOLT_SERVER_HOST', "the Dolt server's host");
  }
  throw new SettingsError(
    `BEADS_DIR is ${JSON.stringify(folder)}, whose bd keeps the database inside of it, where nothing else can read it; make it a server's with \`bd init --server\`, or set BEADS_DOLT_SERVER_HOST`,
  );
}

function missing(name: VariableName, takes: string): never {
  throw new SettingsError(
    `${name} is not set and no metadata.json names it; it takes ${takes} (or set BEADS_DIR)`,
  );
}
