import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { format } from 'prettier';

import type { Row } from './row.ts';

const PAGE = join(import.meta.dirname, '../docs/performance.md');

/** Puts what was measured between the marks of docs/performance.md. */
export async function writePage(rows: readonly Row[], machine: string): Promise<void> {
  const lines = [
    '| what | ours | against | result | goal | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ what, ours, against, result, goal, isMet }) =>
        `| ${[what, ours, against, result, goal, word(isMet)].join(' | ')} |`,
    ),
  ];
  const block = ['<!-- measured -->', machine, lines.join('\n'), '<!-- end -->'].join('\n\n');
  const page = readFileSync(PAGE, 'utf8').replace(/<!-- measured -->[^]*?<!-- end -->/, block);
  writeFileSync(PAGE, await format(page, { parser: 'markdown', printWidth: 110 }));
}

export const word = (isMet: boolean | undefined) =>
  isMet === undefined ? '' : isMet ? 'met' : '**missed**';
