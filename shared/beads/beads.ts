import { DatabaseSchemaError } from '../errors.ts';
import type { DatabaseSettings } from '../settings.ts';
import { parseBead } from './bead.ts';
import { look, type Look } from './look.ts';
import { readSchema, type Schema } from './schema.ts';
import { Session } from './session.ts';
import { STEP_KEY } from './step.ts';
import { transition, type Outcome, type Transition } from './transition.ts';
import { BEAD_COLUMNS } from './bead.ts';
import type { Claim } from './transitions.ts';

/**
 * The beads of one sentinel in one database. This folder is the only place that knows bd's tables;
 * a tick asks it for what it needs in the words of beads.
 */
export class BeadsDatabase {
  readonly #settings: DatabaseSettings;
  readonly #sentinel: string;
  #schema: Schema | undefined;

  constructor(settings: DatabaseSettings, sentinel: string) {
    this.#settings = settings;
    this.#sentinel = sentinel;
  }

  /**
   * Opens a connection for the time of `work`. The schema is read once a process, and again after a
   * statement found it changed.
   * @throws {DatabaseUnreachableError | DatabaseAccessDeniedError | DatabaseSchemaError}
   */
  async use<T>(work: (beads: Beads) => Promise<T>): Promise<T> {
    const session = await Session.open(this.#settings);
    try {
      this.#schema ??= await readSchema(session);
      return await work(new Beads(session, this.#schema, this.#sentinel));
    } catch (error) {
      if (error instanceof DatabaseSchemaError) this.#schema = undefined;
      throw error;
    } finally {
      session.close();
    }
  }
}

/** What one tick can do, over one connection. */
export class Beads {
  readonly #session: Session;
  readonly #schema: Schema;
  readonly #sentinel: string;

  constructor(session: Session, schema: Schema, sentinel: string) {
    this.#session = session;
    this.#schema = schema;
    this.#sentinel = sentinel;
  }

  look(): Promise<Look> {
    return look(this.#session, this.#schema, this.#sentinel);
  }

  transition(wanted: Transition): Promise<Outcome> {
    return transition(this.#session, this.#schema, wanted);
  }

  /**
   * Reads a claim back. Dolt merges what two writers did to different cells of one row, so that a
   * bead can be claimed and reassigned in the same second: only what is read back is held.
   * @returns `undefined` when the claim holds, else what stands in its way.
   */
  async lostClaim({ bead: { id }, token }: Claim): Promise<string | undefined> {
    const rows = await this.#session.query(
      `SELECT ${BEAD_COLUMNS.join(', ')},
              JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.${STEP_KEY}')) AS step
         FROM issues WHERE id = ?`,
      [id],
    );
    const parsed = rows[0] === undefined ? undefined : parseBead(rows[0]);
    if (parsed === undefined) return 'it was deleted while it was being claimed';
    if (!parsed.ok) return parsed.problem;
    const { bead } = parsed;
    if (bead.step?.token !== token) return 'another claim took its place';
    if (bead.status !== 'in_progress') return `it became ${bead.status} while it was being claimed`;
    if (bead.assignee !== this.#sentinel) {
      return `it was assigned to ${bead.assignee || 'nobody'} while it was being claimed`;
    }
    return undefined;
  }
}
