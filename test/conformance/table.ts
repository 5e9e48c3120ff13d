import type { BdBinary } from '../world/bd.ts';
import { DELIBERATE } from './deliberate.ts';

/** What one version of bd said. */
export interface Conformance {
  binary: BdBinary;
  migration: number;
  /** Places that differ, by step or command; none is the same as bd. */
  differences: ReadonlyMap<string, readonly string[]>;
  /** Dolt commits of a dispatch: the claim and its result. */
  commits: { bd: number; ours: number };
}

/** A Markdown table: a row for each step, a column for each version, and the notes below. */
export function conformanceTable(results: readonly Conformance[]): string {
  const longest = results.toSorted((a, b) => b.differences.size - a.differences.size)[0];
  const steps = [...(longest?.differences.keys() ?? [])];
  return [
    line([
      '',
      ...results.map(({ binary, migration }) => `bd ${binary.version}, migration ${migration}`),
    ]),
    line(['---', ...results.map(() => '---')]),
    ...steps.map((name) =>
      line([name, ...results.map(({ differences }) => cell(differences.get(name)))]),
    ),
    line([
      'Dolt commits of a dispatch, bd / ours',
      ...results.map(({ commits }) => `${commits.bd} / ${commits.ours}`),
    ]),
    '',
    ...DECISIONS.map(footnote),
  ].join('\n');
}

const DECISIONS = [...new Set(DELIBERATE.map(({ decision }) => decision))].toSorted(
  (a, b) => a - b,
);

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

function cell(places: readonly string[] | undefined): string {
  if (places === undefined) return '–';
  const noted = DECISIONS.filter((number) =>
    DELIBERATE.some(({ where, decision }) => decision === number && places.includes(where)),
  );
  return noted.length === 0 ? 'same' : `same but ${noted.map((number) => `[${number}]`).join(' ')}`;
}

function footnote(number: number): string {
  const reasons = Map.groupBy(
    DELIBERATE.filter(({ decision }) => decision === number),
    ({ why }) => why,
  );
  const lines = [...reasons].map(
    ([why, places]) => `- ${places.map(({ where }) => `\`${where}\``).join(', ')}: ${why}.`,
  );
  return [`[${number}] decision ${number}:`, '', ...lines, ''].join('\n');
}
