import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { format } from 'prettier';
import { z } from 'zod';

import { EVENT_DATA, TYPE_PREFIX } from '../shared/audit/event-types.ts';
import { TRANSITIONS } from '../shared/beads/transitions.ts';
import { variables } from '../shared/settings.ts';

/**
 * Writes the parts of the docs that say what the code says, between `<!-- generated: NAME -->` and
 * `<!-- end -->`. With `--check` it writes nothing and fails when a page differs.
 */

const ROOT = join(import.meta.dirname, '..');

const TABLES: Record<string, () => string> = {
  settings: () =>
    table(
      ['variable', 'default', 'meaning'],
      Object.entries(variables.shape).map(([name, schema]) => [
        code(name),
        defaultOf(schema),
        schema.description ?? '',
      ]),
    ),
  transitions: () =>
    table(
      ['step', 'status', 'by', 'when', 'event'],
      Object.entries(TRANSITIONS).map(([step, { from, to, actor, when, event }]) => [
        code(step),
        from === to ? code(from) : `${code(from)} → ${code(to)}`,
        actor,
        when,
        code(event),
      ]),
    ),
  events: () =>
    table(
      ['type', 'data', 'when'],
      Object.entries(EVENT_DATA).map(([name, schema]) => [
        code(TYPE_PREFIX + name),
        Object.keys(schema.shape).map(code).join(', '),
        schema.description ?? '',
      ]),
    ),
};

const PAGES = ['README.md', 'docs/architecture.md'];

const check = process.argv.includes('--check');
const drifted: string[] = [];
for (const page of PAGES) {
  const path = join(ROOT, page);
  const before = readFileSync(path, 'utf8');
  const filled = before.replace(
    /<!-- generated: (\w+) -->[^]*?<!-- end -->/g,
    (_, name: string) => `<!-- generated: ${name} -->\n\n${render(name)}\n\n<!-- end -->`,
  );
  const after = await format(filled, { parser: 'markdown', printWidth: 100 });
  if (after === before) continue;
  drifted.push(page);
  if (!check) writeFileSync(path, after);
}
if (drifted.length > 0) {
  console.log(`${check ? 'out of date (make docs mends it)' : 'written'}: ${drifted.join(', ')}`);
}
process.exitCode = check && drifted.length > 0 ? 1 : 0;

function render(name: string): string {
  const make = TABLES[name];
  if (make === undefined) throw new Error(`no generated part is called ${name}`);
  return make();
}

function defaultOf(schema: z.ZodType): string {
  return schema instanceof z.ZodDefault ? code(String(schema.def.defaultValue)) : '–';
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
