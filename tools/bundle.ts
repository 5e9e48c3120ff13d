import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

import { noticesOf } from './notices.ts';
import { trim } from './trim.ts';

/**
 * Builds what runs: one file a program in dist/, with all it needs. `npm start`, the tests and the
 * image run these same files with `node`.
 */

const ROOT = join(import.meta.dirname, '..');
const FRAMEWORK = './node_modules/@google-cloud/functions-framework/build/src/main.js';

/**
 * Functions: the functions-framework serves them, and finds them registered in the very same file.
 */
const FUNCTIONS = {
  dispatch: './functions/dispatch/index.ts',
  reap: './functions/reap/index.ts',
  notify: './examples/notify/index.ts',
  'audit-log': './examples/audit-log/index.ts',
};
/** Programs that serve nothing. */
const PROGRAMS = {
  watch: './sources/watch/index.ts',
  standalone: './cli/serve/standalone.ts',
  program: './openfaas/program.ts',
  lab: './demo/lab.ts',
};

/**
 * Plugins of kn are found by their names, which have no extension, so that Node takes them for
 * CommonJS.
 */
const PLUGINS = ['kn-source-ping-suspend', 'kn-source-ping-resume', 'kn-beads'];

/** Without `production` the framework shows stack traces to whoever sends broken JSON. */
const serve = (name: string) =>
  [
    "process.env.NODE_ENV ??= 'production';",
    `process.env.FUNCTION_TARGET = '${name}';`,
    'process.env.FUNCTION_SOURCE = __filename;',
    "process.env.FUNCTION_SIGNATURE_TYPE = 'http';",
  ].join(' ');

/** For a Node that would otherwise stumble over something that it does not know. */
const needsNode = (major: number) =>
  `if (parseInt(process.versions.node) < ${major}) { console.error('Node ' + process.versions.node + ' is too old; this takes Node ${major} or newer'); process.exit(1); }`;
/** As package.json says. */
const OLDEST_NODE = 22;

const COMMON = {
  bundle: true,
  platform: 'node',
  logLevel: 'warning',
  metafile: true,
} as const;

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
mkdirSync(join(ROOT, 'dist/plugins'), { recursive: true });
// Here, in a package of ES modules, it must be said.
writeFileSync(join(ROOT, 'dist/plugins/package.json'), '{"type":"commonjs"}\n');
const bundled = await Promise.all([
  ...Object.entries(FUNCTIONS).map(([name, source]) =>
    bundle(name, `import '${source}'; import '${FRAMEWORK}';`, serve(name)),
  ),
  ...Object.entries(PROGRAMS).map(([name, source]) => bundle(name, `import '${source}';`, '')),
  ...PLUGINS.map(plugin),
]);
// kubectl asks this for completions of `kubectl beads`; the last line says: no files.
const complete = `#!/bin/sh
"$(dirname "$(readlink -f "$0")")/kn-beads" __complete "$@"
echo :4
`;
writeFileSync(join(ROOT, 'dist/plugins/kubectl_complete-beads'), complete, { mode: 0o755 });
writeFileSync(join(ROOT, 'dist/NOTICES.txt'), noticesOf(ROOT, bundled.flat()));

/** @returns the files that it is made of. */
async function plugin(name: string): Promise<string[]> {
  const outfile = join(ROOT, 'dist/plugins', name);
  const { metafile } = await build({
    ...COMMON,
    // The Node of whoever has kn.
    target: 'node22',
    entryPoints: [join(ROOT, 'cli', `${name}.ts`)],
    outfile,
    format: 'cjs',
    plugins: [trim],
    // What old packages inside do is no news for a person who pauses something.
    banner: { js: `#!/usr/bin/env node\n${needsNode(OLDEST_NODE)}\nprocess.noDeprecation = true;` },
  });
  chmodSync(outfile, 0o755);
  return Object.keys(metafile.inputs);
}

/** @returns the files that it is made of. */
async function bundle(name: string, contents: string, banner: string): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents, resolveDir: ROOT, sourcefile: `${name}.ts`, loader: 'ts' },
    ...COMMON,
    target: 'node24',
    outfile: join(ROOT, 'dist', `${name}.cjs`),
    // A third of the packages inside is CommonJS anyway, and Node starts it faster: an ES module
    // that imports `node:http` alone takes 20 ms and 12 MB more, since all its exports are made at
    // once.
    format: 'cjs',
    // Names stay, so that stack traces say what they mean.
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [trim],
    banner: { js: `${needsNode(OLDEST_NODE)} ${banner}` },
  });
  return Object.keys(metafile.inputs);
}
