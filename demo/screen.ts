import { styleText } from 'node:util';

import { createLogUpdate } from 'log-update';

export interface Column {
  title: string;
  width: number;
}

/** Of a terminal, or of one as people have had them for long. */
const WIDTH = process.stdout.columns ?? 80;
const GAP = '  ';

/**
 * What the demo prints: lines that stay, and below them a table that is kept up to date. Where the
 * output is not a terminal the table is only printed when asked for.
 */
export class Screen {
  readonly #live = createLogUpdate(process.stdout);
  #interactive = process.stdout.isTTY;
  readonly #startedAt = performance.now();
  #table = '';

  /** A line of the story, with the seconds since the start. */
  line(subject: string, text: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(5);
    this.print(`${styleText('dim', `${seconds} s`)}  ${subject.padEnd(8)} ${text}`);
  }

  /** A line as it is. */
  print(text = ''): void {
    if (this.#interactive) this.#live.clear();
    process.stdout.write(`${text}\n`);
    if (this.#interactive) this.#live(this.#table);
  }

  /** Replaces the live table. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const widths = columns.map(({ width }) => width);
    const taken = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
    // The last one has what is left, so that no row is longer than the screen.
    const last = Math.max(0, Math.min(widths.at(-1) ?? 0, WIDTH - taken));
    const row = (cells: readonly string[]) =>
      [...widths.slice(0, -1), last]
        .map((width, index) => fit(cells[index] ?? '', width))
        .join(GAP)
        .trimEnd();
    const head = styleText('bold', row(columns.map(({ title }) => title)));
    this.#table = ['', head, ...rows.map(row)].join('\n');
    if (this.#interactive) this.#live(this.#table);
  }

  /** Ends the live part; the table stays as the last thing shown of it. */
  settle(): void {
    if (this.#interactive) this.#live.done();
    else process.stdout.write(`${this.#table}\n`);
    this.#interactive = false;
  }
}

function fit(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}
