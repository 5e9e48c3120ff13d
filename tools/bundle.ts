import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

/**
 * Builds what runs: one file a program in dist/, with all it needs. `npm start`, the tests and the image
 * run these same files with `node`.
 */

const ROOT = join(import.meta.dirname, '..');
const FRAMEWORK = './node_modules/@google-cloud/functions-framework/build/src/main.js';

/** Functions: the functions-framework serves them, and finds them registered in the very same file. */
const FUNCTIONS = {
  dispatch: './functions/dispatch/index.ts',
  reap: './functions/reap/index.ts',
  notify: './examples/notify/index.ts',
  'audit-log': './examples/audit-log/index.ts',
};
/** Programs that serve nothing. */
const PROGRAMS = { watch: './sources/watch/index.ts' };

/** CommonJS packages inside an ES module ask for Node's own modules with `require`. */
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
/** Without `production` the framework shows stack traces to whoever sends broken JSON. */
const serve = (name: string) =>
  [
    "process.env.NODE_ENV ??= 'production';",
    `process.env.FUNCTION_TARGET = '${name}';`,
    'process.env.FUNCTION_SOURCE = import.meta.filename;',
    "process.env.FUNCTION_SIGNATURE_TYPE = 'http';",
  ].join(' ');

rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
await Promise.all([
  ...Object.entries(FUNCTIONS).map(([name, source]) =>
    bundle(name, `import '${source}'; import '${FRAMEWORK}';`, `${REQUIRE} ${serve(name)}`),
  ),
  ...Object.entries(PROGRAMS).map(([name, source]) => bundle(name, `import '${source}';`, REQUIRE)),
]);

async function bundle(name: string, contents: string, banner: string): Promise<void> {
  await build({
    stdin: { contents, resolveDir: ROOT, sourcefile: `${name}.ts`, loader: 'ts' },
    outfile: join(ROOT, 'dist', `${name}.mjs`),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Stack traces and logs name what they mean.
    keepNames: true,
    banner: { js: banner },
    logLevel: 'warning',
  });
}
