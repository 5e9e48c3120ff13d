import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** In this project, and in a lab where they are mounted. */
const FOLDER = process.env['GRANTS_DIR'] ?? 'docs';

/** The two users of this project, and the files that give them their rights. */
export const GRANTS = {
  functions: { file: 'grants.sql', user: 'beads-dispatch' },
  watch: { file: 'grants-watch.sql', user: 'beads-watch' },
} as const;
export type GrantsFor = keyof typeof GRANTS;

/**
 * @param user in place of the name that the file has.
 * @returns the file's statements for one database.
 */
export function grantStatements(
  program: GrantsFor,
  { database, password, user }: { database: string; password: string; user: string },
): string[] {
  const { file, user: name } = GRANTS[program];
  return readFileSync(join(FOLDER, file), 'utf8')
    .replace(/^--.*$/gm, '')
    .replaceAll(name, user)
    .replaceAll('{{database}}', database)
    .replaceAll('{{password}}', password)
    .split(/;\s*$/m)
    .filter((statement) => statement.trim() !== '');
}
