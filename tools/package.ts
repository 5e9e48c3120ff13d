import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import * as z from 'zod';

/** `make package`: the command line with its `serve` as an npm package that needs no other one. */

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'dist/npm');

const { name, version, description, license, engines } = z
  .object({
    name: z.string(),
    version: z.string(),
    description: z.string(),
    license: z.string(),
    engines: z.object({ node: z.string() }),
  })
  .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
cpSync(join(ROOT, 'dist/plugins/kn-beads'), join(FOLDER, 'beads-dispatch.cjs'));
for (const file of [
  'LICENSE',
  'dist/NOTICES.txt',
  'docs/cli.md',
  'docs/settings.md',
  'docs/grants.sql',
])
  cpSync(join(ROOT, file), join(FOLDER, file.split('/').at(-1) ?? file));
writeFileSync(
  join(FOLDER, 'README.md'),
  `# ${name}\n\n${description}.\n\n\`npx ${name} status\`, \`why\`, \`serve\` and more: see cli.md and settings.md beside this file.\n`,
);
const about = {
  name,
  version,
  description,
  license,
  engines,
  type: 'commonjs',
  bin: { 'beads-dispatch': 'beads-dispatch.cjs', [name]: 'beads-dispatch.cjs' },
};
writeFileSync(join(FOLDER, 'package.json'), `${JSON.stringify(about, null, 2)}\n`);
console.log(execFileSync('npm', ['pack', '--silent'], { cwd: FOLDER }).toString().trim());
