import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import * as z from 'zod';

/**
 * `make release-files`: what a release has beside its image, in dist/release: the npm package, the
 * plugins, the manifests, a bill of materials, and a checksum of each.
 */

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'dist/release');
/** npm's bill lists every package of the lock file. */
const MOST_BYTES = 100_000_000;

const { name, version } = z
  .object({ name: z.string(), version: z.string() })
  .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });

execFileSync(process.execPath, [join(ROOT, 'tools/package.ts')]);
const tarball = `${name}-${version}.tgz`;
cpSync(join(ROOT, 'dist/npm', tarball), join(FOLDER, tarball));
archive('plugins', join(ROOT, 'dist'), ['plugins', 'NOTICES.txt']);
archive('manifests', ROOT, [
  'knative',
  'kubernetes',
  'openfaas',
  'docs/grants.sql',
  'docs/grants-watch.sql',
]);
writeFileSync(join(FOLDER, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(), null, 2)}\n`);

const sums = readdirSync(FOLDER).map((file) => {
  const hash = createHash('sha256')
    .update(readFileSync(join(FOLDER, file)))
    .digest('hex');
  return `${hash}  ${file}\n`;
});
writeFileSync(join(FOLDER, 'SHA256SUMS'), sums.join(''));
console.log(readdirSync(FOLDER).join('\n'));

function archive(what: string, folder: string, paths: readonly string[]): void {
  const file = join(FOLDER, `${name}-${what}-${version}.tar.gz`);
  execFileSync('tar', ['--create', '--gzip', '--file', file, '--directory', folder, ...paths]);
}

/** npm's own, with the packages that are in the built files and no others. */
function billOfMaterials(): unknown {
  const notices = readFileSync(join(ROOT, 'dist/NOTICES.txt'), 'utf8');
  const shipped = new Set(
    [...notices.matchAll(/^== (\S+) (\S+)$/gm)].map(([, pkg, at]) => `${pkg}@${at}`),
  );
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const printed = execFileSync('npm', args, { cwd: ROOT, maxBuffer: MOST_BYTES });
  const whole = z
    .looseObject({
      components: z.array(z.looseObject({ name: z.string(), version: z.string() })),
      dependencies: z.array(z.looseObject({ ref: z.string() })),
    })
    .parse(JSON.parse(printed.toString()));
  const components = whole.components.filter((each) => shipped.has(`${each.name}@${each.version}`));
  const refs = new Set(components.map((each) => each['bom-ref']));
  const dependencies = whole.dependencies.filter(({ ref }) => refs.has(ref));
  return { ...whole, components, dependencies };
}
