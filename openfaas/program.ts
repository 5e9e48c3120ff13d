import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { VERSION } from '../shared/runtime/version.ts';

/**
 * What the image runs when nobody names a program. OpenFaaS gives an image no arguments, so that
 * the variable PROGRAM says which of the programs beside this file it is; without it, dispatch.
 */
const folder = dirname(process.argv[1] ?? '.');
const { PROGRAM: name = 'dispatch' } = process.env;
const programs = readdirSync(folder)
  .filter((file) => file.endsWith('.cjs'))
  .map((file) => file.slice(0, -'.cjs'.length))
  .filter((program) => program !== 'program');

if (process.argv[2] === '--version') {
  console.log(VERSION);
} else if (programs.includes(name)) {
  void import(join(folder, `${name}.cjs`));
} else {
  console.error(`PROGRAM is ${JSON.stringify(name)}; it takes one of ${programs.join(', ')}`);
  process.exit(1);
}
