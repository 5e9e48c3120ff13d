/**
 * The base of every error this project raises on purpose. `code` is stable and goes into logs and
 * `tick.failed.v1`; the message tells an operator what to look at, and never holds a secret.
 */
export abstract class OperatorError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An environment variable, or bd's `metadata.json`, holds something that cannot be used. */
export class SettingsError extends OperatorError {
  readonly code = 'SETTINGS_INVALID';
}

/** The request is not a CloudEvent 1.0 in binary or structured mode. */
export class NotACloudEventError extends OperatorError {
  readonly code = 'NOT_A_CLOUDEVENT';
}

/** The Dolt server gave no answer: no connection, a lost one, or none within the time allowed. */
export class DatabaseUnreachableError extends OperatorError {
  readonly code = 'DATABASE_UNREACHABLE';
}

/** The Dolt server refused the user, the password, or a right that a statement needs. */
export class DatabaseAccessDeniedError extends OperatorError {
  readonly code = 'DATABASE_ACCESS_DENIED';
}

/** There is a database, but not one whose schema these functions know how to write. */
export class DatabaseSchemaError extends OperatorError {
  readonly code = 'DATABASE_SCHEMA';
}

/**
 * The server or a proxy in front of it does not let a session be set up as these functions need it.
 */
export class DatabaseSessionError extends OperatorError {
  readonly code = 'DATABASE_SESSION';
}

/**
 * bd has migrated the database since its schema was read; reading it again may be all that it
 * takes.
 */
export class SchemaChangedError extends DatabaseSchemaError {}

/** A statement failed for a reason of its own; the message carries the server's words. */
export class DatabaseStatementError extends OperatorError {
  readonly code = 'DATABASE_STATEMENT';
}

/** A bead changed under every try of one transition; nothing was written. */
export class TransitionContendedError extends OperatorError {
  readonly code = 'TRANSITION_CONTENDED';
}

/** A tick went through, but not for every bead; the log has a line for each that failed. */
export class TickIncompleteError extends OperatorError {
  readonly code = 'TICK_INCOMPLETE';

  constructor(beads: number) {
    super(`${beads} beads could not be written; the log says which and why. The others are done.`);
  }
}

/** The agent service does not accept AGENT_SERVICE_TOKEN; what its jobs do cannot be known. */
export class AgentServiceDeniedError extends OperatorError {
  readonly code = 'AGENT_SERVICE_DENIED';

  constructor(url: string, status: number) {
    super(
      `the agent service at ${url} does not accept AGENT_SERVICE_TOKEN (HTTP ${status}). Beads were judged by their age alone; check the token.`,
    );
  }
}

/** BeadBoard could not say whether the agent is busy; nothing was claimed. */
export class BeadBoardUnavailableError extends OperatorError {
  readonly code = 'BEADBOARD_UNAVAILABLE';
}

/**
 * Whether the next bead may fare better. Only a database that cannot be used ends a tick;
 * everything else, a mistake in our own code included, is that bead's alone.
 */
export function isBeadError(error: unknown): boolean {
  return !(
    error instanceof DatabaseUnreachableError ||
    error instanceof DatabaseAccessDeniedError ||
    error instanceof DatabaseSchemaError ||
    error instanceof DatabaseSessionError
  );
}

/** The code of what nobody raised on purpose. */
export const UNEXPECTED = 'UNEXPECTED';

/**
 * What can be said of any thrown value, in one line.
 * @returns the stable code (`UNEXPECTED` for what nobody raised on purpose) and the message.
 */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof OperatorError) return { code: error.code, message: error.message };
  return { code: UNEXPECTED, message: errorMessage(error) };
}

/** The same for the log, with the stack of what nobody raised on purpose. */
export function errorForLog(error: unknown): { code: string; message: string; stack?: string } {
  const described = describeError(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return described.code === UNEXPECTED && stack !== undefined ? { ...described, stack } : described;
}

/**
 * The same for whoever asks over HTTP: of a request that is wrong all, of a tick that failed the
 * code alone. The message may name hosts and users, and the log has it.
 */
export function publicError(error: unknown): { code: string; message: string } {
  const { code, message } = describeError(error);
  return { code, message: error instanceof NotACloudEventError ? message : 'see the log' };
}

/** The message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why a program cannot listen, and what to do. */
export function portProblem(error: Error): string {
  const isTaken = 'code' in error && error.code === 'EADDRINUSE' && 'port' in error;
  return isTaken
    ? `port ${String(error.port)} is in use; set PORT to another one`
    : `cannot listen: ${error.message}`;
}
