import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/** Fields that must never be printed, wherever a careless call puts them. */
const SECRET_FIELDS = ['password', 'token', 'authorization', 'AGENT_SERVICE_TOKEN'];

/**
 * One JSON line per entry on stdout, as Knative's log collectors expect.
 * @param name the function's name, on every line.
 * @param level pino's level.
 * @param destination stdout by default.
 */
export function createLog(name: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: '[secret]' },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
