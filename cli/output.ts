import { stringify } from 'yaml';

import { Option, type Command } from 'commander';

import { age } from './duration.ts';

/**
 * What a person sees, by the conventions of kubectl: NAME first, AGE last, errors on stderr only.
 */

export const FORMATS = ['wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export interface OutputOptions {
  output?: Format;
  headers: boolean;
}

export function withOutput(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(FORMATS))
    .option('--no-headers', 'no line with the titles of the columns');
}

export interface Column<T> {
  title: string;
  of: (row: T) => string;
  /** Only with `-o wide`. */
  isWide?: boolean;
}

/** Prints data as JSON or YAML. @returns false when a format for people is wanted. */
export function printData({ output }: Pick<OutputOptions, 'output'>, data: unknown): boolean {
  if (output === 'json') print(JSON.stringify(data, null, 2));
  else if (output === 'yaml') print(stringify(data).trimEnd());
  else return false;
  return true;
}

/** Prints rows as a table, their names, or data. */
export function printRows<T extends { id: string }>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  options: OutputOptions,
): void {
  if (printData(options, rows)) return;
  if (options.output === 'name') {
    for (const { id } of rows) print(id);
    return;
  }
  const shown = columns.filter(({ isWide = false }) => !isWide || options.output === 'wide');
  const cells = rows.map((row) => shown.map(({ of }) => of(row)));
  printTable(options.headers ? [shown.map(({ title }) => title), ...cells] : cells);
}

const GAP = 2;

export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of rows) {
    print(
      row
        .map((cell, column) => cell.padEnd((widths[column] ?? 0) + GAP))
        .join('')
        .trimEnd(),
    );
  }
}

/** As wide as the terminal, and as an old one where there is none. */
const WIDTH = process.stdout.columns ?? 80;
/** Less than this a text is not read, but deciphered. */
const NARROWEST = 20;

/** A table whose last column is folded, so that a line fits. */
export function printStory(rows: readonly (readonly string[])[]): void {
  const before = (rows[0] ?? [])
    .slice(0, -1)
    .map((_, column) => GAP + Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const left = before.reduce((sum, width) => sum + width, 0);
  printTable(
    rows.flatMap((row) => {
      const [first = '', ...more] = fold(row.at(-1) ?? '', Math.max(NARROWEST, WIDTH - left));
      return [
        [...row.slice(0, -1), first],
        ...more.map((text) => before.map(() => '').concat(text)),
      ];
    }),
  );
}

/** Breaks a text at blanks, and a word that is longer than a line where it must. */
function fold(text: string, width: number): string[] {
  const words = text
    .split(' ')
    .flatMap((word) => word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? ['']);
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Whoever reads only the first lines, as `head` does, closes the output; that is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

export const print = (line: string) => void process.stdout.write(`${line}\n`);

/** Local time of the day, with the date when that is another one. */
export function localTime(iso: string, now = new Date()): string {
  const at = new Date(iso);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** A time and how far away it is: `16:06:59 (in 1m47s)`. */
export function localTimeWithGap(iso: string, now: Date): string {
  const seconds = Math.round((new Date(iso).getTime() - now.getTime()) / 1000);
  return `${localTime(iso, now)} (${seconds >= 0 ? `in ${age(seconds)}` : `${age(-seconds)} ago`})`;
}

/** A message with the times in it as a person reads them. */
export const inLocalTime = (message: string, now = new Date()): string =>
  message.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (iso) => localTimeWithGap(iso, now));

const isColoured =
  process.stdout.isTTY && (process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '');
const colour = (code: number) => (text: string) =>
  isColoured ? `\u001B[${code}m${text}\u001B[0m` : text;
export const good = colour(32);
export const bad = colour(31);
