import { setTimeout as pause } from 'node:timers/promises';

const STEP_MS = 300;

/**
 * Looks until there is something to see.
 * @param what in words, for the failure.
 * @param look `undefined` while there is nothing.
 * @returns what was seen, and how long it took.
 * @throws when it takes longer than `timeoutMs`.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
): Promise<{ seen: T; tookMs: number }> {
  const startedAt = performance.now();
  for (;;) {
    const seen = await look();
    const tookMs = performance.now() - startedAt;
    if (seen !== undefined) return { seen, tookMs };
    if (tookMs > timeoutMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await pause(STEP_MS);
  }
}
