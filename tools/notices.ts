import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * The licences of all packages that are part of the built files, as they ask for: generated with
 * the build, so that none is forgotten.
 * @param inputs paths of the files that were bundled, relative to `root`.
 */
export function noticesOf(root: string, inputs: readonly string[]): string {
  const folders = new Set(
    inputs.flatMap(
      (path) => /(?<=^|:)(?:[^:]*node_modules\/)(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
    ),
  );
  const notices = [...folders].toSorted().map((folder) => noticeOf(resolve(root, folder)));
  return `Parts of this program are other people's work:\n\n${[...new Set(notices)].join('\n')}`;
}

function noticeOf(folder: string): string {
  const about: { name: string; version: string; license?: string } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|notice|copying)/i.test(name));
  const text =
    file === undefined ? (about.license ?? 'no licence') : readFileSync(join(folder, file), 'utf8');
  return `== ${about.name} ${about.version}\n\n${text.trim()}\n`;
}
