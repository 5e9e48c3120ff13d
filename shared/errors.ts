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

/** bd has migrated the database since its schema was read; reading it anew may be all that it takes. */
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

/** BeadBoard could not say whether the agent is busy; nothing was claimed. */
export class BeadBoardUnavailableError extends OperatorError {
  readonly code = 'BEADBOARD_UNAVAILABLE';
}

/** The next bead may fare better: the server answered, and only this statement was refused. */
export function isOfOneBead(error: unknown): boolean {
  return error instanceof DatabaseStatementError || error instanceof TransitionContendedError;
}

/** The code of what nobody raised on purpose. */
export const UNEXPECTED = 'UNEXPECTED';

/**
 * What can be said of any thrown value, in one line.
 * @returns the stable code (`UNEXPECTED` for what nobody raised on purpose) and the message.
 */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof OperatorError) return { code: error.code, message: error.message };
  return { code: UNEXPECTED, message: messageOf(error) };
}

/** The same for whoever is not the operator: what nobody foresaw may say anything, and the log has it. */
export function toldOutside(error: unknown): { code: string; message: string } {
  const { code, message } = describeError(error);
  return { code, message: code === UNEXPECTED ? 'see the log' : message };
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
