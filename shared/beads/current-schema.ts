import { DatabaseSchemaError } from '../errors.ts';
import { readSchema, type Schema } from './schema.ts';
import type { Session } from './session.ts';

/** The schema as this process last read it, which any bd command of a newer version may change. */
export class CurrentSchema {
  readonly #onRead: (schema: Schema) => void;
  #schema: Schema | undefined;

  /** @param onRead told of each schema that was read, for the log. */
  constructor(onRead: (schema: Schema) => void) {
    this.#onRead = onRead;
  }

  /**
   * Runs `work` with the schema; when it meets another one, reads that and runs `work` again, once.
   * @throws {DatabaseSchemaError} a schema that these functions do not know.
   */
  async use<T>(session: Session, work: (schema: Schema) => Promise<T>): Promise<T> {
    const schema = await this.#get(session);
    try {
      return await work(schema);
    } catch (error) {
      if (!(error instanceof DatabaseSchemaError)) throw error;
      this.#schema = undefined;
      // After a statement that failed for its schema, Dolt may answer from the old one on this connection.
      await session.reconnect();
      return await work(await this.#get(session));
    }
  }

  async #get(session: Session): Promise<Schema> {
    if (this.#schema === undefined) {
      this.#schema = await readSchema(session);
      this.#onRead(this.#schema);
    }
    return this.#schema;
  }
}
