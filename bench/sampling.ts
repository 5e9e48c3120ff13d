/** What one run of something took. */
export interface Sample {
  wallMs: number;
  /** Time on a processor by the kernel's count, of the process that did it and of its children. */
  cpuMs?: number;
}

/** Half of all runs lie between `low` and `high`. */
export interface Spread {
  low: number;
  median: number;
  high: number;
}

/** Things that are compared, by name; each call is one run. */
export type Contestants<Name extends string> = Readonly<Record<Name, () => Promise<Sample>>>;

/**
 * Runs all contestants in turn, round by round, so that whatever slows the machine down for a while
 * meets all of them. Every other round goes backwards, so that none always comes after the same
 * one.
 *
 * @param warmUps rounds that are not counted.
 * @returns the samples of each, in the order of the rounds.
 */
export async function interleave<Name extends string>(
  contestants: Contestants<Name>,
  { warmUps, rounds }: { warmUps: number; rounds: number },
): Promise<Record<Name, Sample[]>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are those of the argument
  const names = Object.keys(contestants) as Name[];
  const samples = new Map(names.map((name) => [name, new Array<Sample>()]));
  for (let round = 0; round < warmUps + rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const sample = await contestants[name]();
      if (round >= warmUps) samples.get(name)?.push(sample);
    }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same keys
  return Object.fromEntries(samples) as Record<Name, Sample[]>;
}

/** @param values at least one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  // Between two values it is their part in between: of two runs the median is the mean.
  const at = (part: number) => {
    const index = (sorted.length - 1) * part;
    const [below = Number.NaN, above = Number.NaN] = [
      sorted[Math.floor(index)],
      sorted[Math.ceil(index)],
    ];
    return below + (above - below) * (index - Math.floor(index));
  };
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/** How many times `a` is `b`, run by run: runs of one round met the same machine. */
export function ratiosOf(a: readonly number[], b: readonly number[]): Spread {
  return spreadOf(a.map((value, index) => value / (b[index] ?? Number.NaN)));
}

export const wallOf = (samples: readonly Sample[]) => samples.map(({ wallMs }) => wallMs);
export const cpuOf = (samples: readonly Sample[]) =>
  samples.map(({ cpuMs }) => cpuMs ?? Number.NaN);

/** Runs `work` once. @returns how long it took. */
export async function timed(work: () => Promise<unknown>): Promise<Sample> {
  const startedAt = performance.now();
  await work();
  return { wallMs: performance.now() - startedAt };
}
