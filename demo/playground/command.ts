import type { Playground } from './playground.ts';

/** One command of the playground; `words` are what stands behind its name. */
export interface Command {
  usage: string;
  help: string;
  /** What can stand at each place, for the completion of a line. */
  completes?: readonly (readonly string[] | 'bead')[];
  /** @throws with what is wrong, in words. */
  run(playground: Playground, ...words: string[]): Promise<void> | void;
}

/** @throws when it is none of them. */
export function oneOf<T extends string>(word: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === word);
  if (found !== undefined) return found;
  throw new Error(`"${word}" is none of ${choices.join(', ')}`);
}
