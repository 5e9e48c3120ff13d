import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { format } from 'prettier';
import * as z from 'zod';

import { serveVariables } from '../cli/serve/schedules.ts';
import { auditLogVariables } from '../examples/audit-log/settings.ts';
import { notifyVariables } from '../examples/notify/settings.ts';
import { EVENT_DATA, TYPE_PREFIX } from '../shared/events/event-types.ts';
import { TRANSITIONS } from '../shared/beads/write/state-machine.ts';
import { variables } from '../shared/settings/variables.ts';
import { eventFiles } from './event-docs.ts';
import { costOf, OVERLAY_TICKS } from './idle-cost.ts';
import { settingsManifest } from './settings-manifest.ts';
import { viewFiles, VIEWS } from './view-docs.ts';

/**
 * Writes the parts of the docs that say what the code says, between `<!-- generated: NAME -->` and
 * `<!-- end -->`. With `--check` it writes nothing and fails when a page differs.
 */

const ROOT = join(import.meta.dirname, '..');

/** What others do to a bead; bd knows more, but this is what matters here. */
const PEOPLE = [
  '  [*] --> open: a person assigns it',
  '  in_progress --> closed: the agent is done',
  '  in_progress --> blocked: the agent gives up',
  '  blocked --> open: a person reopens it',
  '  closed --> [*]',
];

const TABLES: Record<string, () => string> = {
  settings: () => settingsTable(variables),
  idleCost: idleCostTable,
  views: () =>
    table(
      ['what', 'schema'],
      Object.entries(VIEWS).map(([name, { of }]) => [of, `[${name}](views/${name}.schema.json)`]),
    ),
  serve: () => settingsTable(serveVariables),
  notify: () => settingsTable(notifyVariables),
  auditLog: () => settingsTable(auditLogVariables),
  transitions: () =>
    table(
      ['transition', 'status', 'by', 'when', 'event'],
      Object.entries(TRANSITIONS).map(([step, { from, to, actor, when, event }]) => [
        code(step),
        from === to ? code(from) : `${code(from)} → ${code(to)}`,
        actor,
        when,
        code(event),
      ]),
    ),
  diagram: () => {
    const arrows = Object.entries(TRANSITIONS).map(
      ([step, { from, to }]) => `  ${from} --> ${to}: ${step}`,
    );
    return ['```mermaid', 'stateDiagram-v2', ...arrows, ...PEOPLE, '```'].join('\n');
  },
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

const PAGES = [
  'docs/settings.md',
  'docs/cli.md',
  'docs/events/README.md',
  'examples/README.md',
  'docs/idle-cost.md',
  'docs/architecture.md',
  'docs/state-machine.md',
];

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
const files = new Map([...eventFiles(), ...viewFiles()]);
files.set('knative/base/3-settings.yaml', settingsManifest());
files.set('kubernetes/base/settings.yaml', settingsManifest());
for (const [file, content] of files) {
  const path = join(ROOT, file);
  const after = await format(content, { filepath: path, printWidth: 100, singleQuote: true });
  if (existsSync(path) && readFileSync(path, 'utf8') === after) continue;
  drifted.push(file);
  if (!check) writeFileSync(path, after);
}
for (const folder of ['docs/events', 'docs/views']) {
  for (const name of readdirSync(join(ROOT, folder))) {
    const file = `${folder}/${name}`;
    if (name === 'README.md' || files.has(file)) continue;
    drifted.push(`${file} (is not generated any more)`);
    if (!check) rmSync(join(ROOT, file));
  }
}
if (drifted.length > 0) {
  console.log(`${check ? 'out of date (run make docs)' : 'written'}: ${drifted.join(', ')}`);
}
for (const missing of unprovenInvariants()) {
  console.log(`docs/invariants.md names a test that is not there: ${missing}`);
  process.exitCode = 1;
}
if (check && drifted.length > 0) process.exitCode = 1;

/** Every invariant names a test by its title, in the last column. */
function unprovenInvariants(): string[] {
  const rows = readFileSync(join(ROOT, 'docs/invariants.md'), 'utf8').matchAll(
    /^\| \d+ .*\| `([^`]+)`\s*\|$/gm,
  );
  const folder = join(ROOT, 'test');
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  const titles = [...rows].map(([, title]) => title ?? '');
  if (titles.length === 0) return ['(no invariant was found at all)'];
  return titles.filter((title) => !tests.includes(title));
}

function render(name: string): string {
  const make = TABLES[name];
  if (make === undefined) throw new Error(`no generated part is called ${name}`);
  return make();
}

function idleCostTable(): string {
  const rows = Object.entries(OVERLAY_TICKS).map(([overlay, ticks]) => {
    const { podStarts, podHours, databaseQueries } = costOf(ticks);
    return [
      code(overlay),
      `${code(ticks.dispatch)}, ${code(ticks.reap)}${ticks.hasWatch ? ', woken by events' : ''}`,
      String(podStarts),
      podHours.toFixed(1),
      databaseQueries.toLocaleString('en'),
      '0',
      '0',
    ];
  });
  const head = ['overlay', 'dispatch, reap', 'pod starts', 'pod-hours', 'database queries'];
  return table([...head, 'BeadBoard calls', 'writes, events'], rows);
}

function settingsTable({ shape }: z.ZodObject): string {
  const rows = Object.entries(shape).map(([name, schema]) => [
    code(name),
    defaultOf(schema),
    schema.meta()?.description ?? '',
  ]);
  return table(['variable', 'default', 'meaning'], rows);
}

/** A default may be given before the text is taken apart. */
function defaultOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodPipe) return defaultOf(schema.def.in);
  return schema instanceof z.ZodDefault ? code(String(schema.def.defaultValue)) : '–';
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
