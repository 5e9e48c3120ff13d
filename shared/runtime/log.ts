import { pino, type DestinationStream, type Logger } from 'pino';

import { hideSecrets, knownSecrets } from './quote.ts';

export type { Logger };

/**
 * Fields that must never be printed, wherever a careless call puts them: credentials, and what is
 * longer or more private than a log should be.
 */
const HIDDEN_FIELDS = [
  'password',
  'token',
  'authorization',
  'cookie',
  'prompt',
  'body',
  'description',
  'acceptance_criteria',
  'notes',
];

/** pino names each depth; no log entry is nested deeper. */
const DEPTHS = ['', '*.', '*.*.'];

export interface LogSettings {
  /** pino's level. */
  level: string;
  /**
   * Secrets by the names of their variables. The values are replaced wherever in a line they turn
   * up, for example within a message; a field of such a name is not shown either.
   */
  secrets: Readonly<Record<string, string>>;
}

/**
 * One JSON line per entry on stdout, as Knative's log collectors expect.
 * @param name the program's name, on every line.
 * @param destination stdout by default.
 */
export function createLog(
  name: string,
  { level, secrets }: LogSettings,
  destination?: DestinationStream,
): Logger {
  hideSecrets(Object.values(secrets));
  const hidden = [...Object.keys(secrets), ...HIDDEN_FIELDS];
  const escaped = knownSecrets().map((secret) => JSON.stringify(secret).slice(1, -1));
  const options = {
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: DEPTHS.flatMap((depth) => hidden.map((field) => depth + field)),
      censor: '[hidden]',
    },
    hooks: {
      streamWrite: (line: string) =>
        escaped.reduce((shown, secret) => shown.replaceAll(secret, '[hidden]'), line),
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
