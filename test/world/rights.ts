import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectTo } from './database.ts';

const FILES = {
  functions: { file: 'grants.sql', user: 'beads-dispatch' },
  watch: { file: 'grants-watch.sql', user: 'beads-watch' },
} as const;
const PASSWORD = 'a password';

/** Who a program is to the Dolt server. */
export interface DatabaseUser {
  user: string;
  password: string;
}

/**
 * Makes a user with the rights of docs/grants.sql (or grants-watch.sql) for one database, and no
 * other.
 */
export async function makeUser(
  port: number,
  database: string,
  program: keyof typeof FILES = 'functions',
): Promise<DatabaseUser> {
  const { file, user: name } = FILES[program];
  const user = nameFor(database, program);
  const statements = readFileSync(join(import.meta.dirname, '../../docs', file), 'utf8')
    .replace(/^--.*$/gm, '')
    .replaceAll(name, user)
    .replaceAll('{{database}}', database)
    .replaceAll('{{password}}', PASSWORD)
    .split(';')
    .filter((statement) => statement.trim() !== '');
  const connection = await connectTo(port);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
  return { user, password: PASSWORD };
}

export async function dropUser(port: number, database: string): Promise<void> {
  const connection = await connectTo(port);
  try {
    for (const program of ['functions', 'watch'] as const) {
      await connection.query(`DROP USER IF EXISTS '${nameFor(database, program)}'@'%'`);
    }
  } finally {
    await connection.end();
  }
}

const nameFor = (database: string, program: keyof typeof FILES) =>
  `${program === 'watch' ? 'w' : 'u'}_${database}`;
