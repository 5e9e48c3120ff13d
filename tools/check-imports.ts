import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

/**
 * Holds the layout to its picture (docs/architecture.md): a folder imports only folders below it,
 * no file is part of a circle, and no folder has more files than one can take in at a glance. `make
 * lint` runs it.
 */

const ROOT = join(import.meta.dirname, '..');

/** From top to bottom; folders of one line do not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['cli'],
  ['functions/dispatch', 'functions/reap', 'sources', 'examples'],
  ['shared/tick'],
  ['shared/views'],
  ['shared/targets/beadboard', 'shared/rules'],
  ['shared/targets'],
  ['shared/agent-service'],
  ['shared/beads'],
  ['shared/beads/write'],
  ['shared/beads/rows'],
  ['shared/beads/schema'],
  ['shared/beads/sql'],
  ['shared/events'],
  ['shared/settings'],
  ['shared/runtime'],
];
const MOST_FILES = 12;

const files = ['functions', 'shared', 'sources', 'cli', 'examples'].flatMap(filesIn);
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const problems = [...upward(), ...circles(), ...crowded()];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`imports: ${files.length} files, no circle and no arrow upward`);

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(join(ROOT, path)).isDirectory()) return filesIn(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+\.ts)'/g)].map(([, path = '']) =>
    normalize(join(dirname(file), path)),
  );
}

/** The layer of a file: that of the longest folder name that it is in. */
function layerOf(file: string): { depth: number; folder: string } {
  const found = LAYERS.flatMap((folders, depth) => folders.map((folder) => ({ depth, folder })))
    .filter(({ folder }) => file.startsWith(`${folder}/`))
    .toSorted((a, b) => b.folder.length - a.folder.length)[0];
  if (found === undefined) throw new Error(`${file} is in no layer of tools/check-imports.ts`);
  return found;
}

function upward(): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets.flatMap((target) => {
      const [from, to] = [layerOf(file), layerOf(target)];
      const isAllowed = from.folder === to.folder || from.depth < to.depth;
      return isAllowed ? [] : [`${file} imports ${relative('.', target)}, which is not below it`];
    }),
  );
}

function circles(): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start !== -1) found.push(`a circle: ${[...path.slice(start), file].join(' → ')}`);
    if (start !== -1 || done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}

function crowded(): string[] {
  const folders = Map.groupBy(files, (file) => dirname(file));
  return [...folders].flatMap(([folder, inside]) =>
    inside.length > MOST_FILES
      ? [`${folder} has ${inside.length} files, more than ${MOST_FILES}`]
      : [],
  );
}
