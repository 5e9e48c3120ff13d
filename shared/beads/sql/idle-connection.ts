import { Connection } from './connection.ts';
import type { DatabaseSettings } from '../../settings/settings.ts';

/**
 * Longer than the two minutes between two ticks, shorter than what drops idle connections on their
 * way.
 */
const SPARE_MS = 300_000;

/**
 * The connection of an idle tick, kept for the next one: to open one costs more than all that an
 * idle tick asks (docs/decisions/0019).
 */
export class IdleConnection {
  readonly #settings: DatabaseSettings;
  #spare: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: DatabaseSettings) {
    this.#settings = settings;
  }

  /**
   * @returns the one that was kept, if it still stands as far as this side knows, or a new one.
   * @throws as {@link Connection.open}.
   */
  async take(): Promise<Connection> {
    const spare = this.#spare;
    this.#forget();
    if (spare?.isClean === true) return spare;
    spare?.close();
    return await Connection.open(this.#settings);
  }

  /** Keeps it, when nothing but questions went over it; else lets it go. */
  giveBack(connection: Connection): void {
    if (this.#spare !== undefined || !connection.isClean) {
      connection.close();
      return;
    }
    this.#spare = connection;
    this.#timer = setTimeout(() => {
      connection.close();
      this.#forget();
    }, SPARE_MS).unref();
  }

  /** Closes the one that is kept: a program that ends does not wait for it. */
  close(): void {
    this.#spare?.close();
    this.#forget();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#spare = undefined;
  }
}
