import { SchemaChangedError } from '../../runtime/errors.ts';
import { readSchema } from './probe.ts';
import type { Schema } from './schema.ts';
import type { Connection } from '../sql/connection.ts';

/**
 * bd records a migration step by step, with its lock held, so that the second read is the last one
 * mostly.
 */
const MAX_READS = 3;

/** The schema as this process last read it, which any bd command of a newer version may change. */
export class SchemaCache {
  readonly #onRead: (schema: Schema) => void;
  #schema: Schema | undefined;

  /** @param onRead told of each schema that was read, for the log. */
  constructor(onRead: (schema: Schema) => void) {
    this.#onRead = onRead;
  }

  /**
   * Runs `work` with the schema; when it meets another one, reads that and runs `work` again.
   * @throws {DatabaseSchemaError} a schema that these functions do not know.
   */
  async use<T>(connection: Connection, work: (schema: Schema) => Promise<T>): Promise<T> {
    for (let reads = 1; ; reads += 1) {
      const schema = await this.#get(connection);
      try {
        return await work(schema);
      } catch (error) {
        if (!(error instanceof SchemaChangedError) || reads === MAX_READS) throw error;
        this.#schema = undefined;
        // After a statement that failed for its schema, Dolt may answer from the old one on this
        // connection.
        await connection.reconnect();
      }
    }
  }

  async #get(connection: Connection): Promise<Schema> {
    if (this.#schema === undefined) {
      this.#schema = await readSchema(connection);
      this.#onRead(this.#schema);
    }
    return this.#schema;
  }
}
