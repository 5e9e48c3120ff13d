import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { format } from 'prettier';

import type { Row } from './row.ts';

const PAGE = join(import.meta.dirname, '../docs/performance.md');

const MEASURED = /<!-- measured -->([^]*?)<!-- end -->/;

/**
 * Puts what was measured between the marks of docs/performance.md, in place of what was measured of
 * the same before. Each row has both sides of its comparison, so that a row can be measured on its
 * own.
 */
export async function writePage(rows: readonly Row[], machine: string): Promise<void> {
  const page = readFileSync(PAGE, 'utf8');
  const lines = new Map(
    (MEASURED.exec(page)?.[1] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => [line.split('|')[1]?.trim() ?? '', line]),
  );
  const head = ['what', 'ours', 'against', 'result', 'goal', ''];
  lines.set('what', line(head));
  for (const { what, ours, against, result, goal, isMet } of rows) {
    lines.set(what, line([what, ours, against, result, goal, word(isMet)]));
  }
  const [first = '', ...others] = [...lines.values()].filter((each) => !/^\|[-| ]*\|$/.test(each));
  const table = [first, line(head.map(() => '---')), ...others].join('\n');
  const block = ['<!-- measured -->', machine, table, '<!-- end -->'].join('\n\n');
  const filled = page.replace(MEASURED, () => block);
  writeFileSync(PAGE, await format(filled, { parser: 'markdown', printWidth: 110 }));
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

export const word = (isMet: boolean | undefined) =>
  isMet === undefined ? '' : isMet ? 'met' : '**missed**';
