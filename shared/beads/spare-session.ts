import { Session } from './session.ts';
import type { DatabaseSettings } from '../settings.ts';

/** Longer than the two minutes between two ticks, shorter than what drops idle connections on their way. */
const SPARE_MS = 300_000;

/**
 * The connection of an idle tick, kept for the next one: to open one costs more than all that an idle tick
 * asks (docs/decisions/0014).
 */
export class SpareSession {
  readonly #settings: DatabaseSettings;
  #spare: Session | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: DatabaseSettings) {
    this.#settings = settings;
  }

  /**
   * @returns the one that was kept, if it still stands as far as this side knows, or a new one.
   * @throws as {@link Session.open}.
   */
  async take(): Promise<Session> {
    const spare = this.#spare;
    this.#forget();
    if (spare?.isClean === true) return spare;
    spare?.close();
    return await Session.open(this.#settings);
  }

  /** Keeps it, when nothing but questions went over it; else lets it go. */
  giveBack(session: Session): void {
    if (this.#spare !== undefined || !session.isClean) {
      session.close();
      return;
    }
    this.#spare = session;
    this.#timer = setTimeout(() => {
      session.close();
      this.#forget();
    }, SPARE_MS).unref();
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#spare = undefined;
  }
}
