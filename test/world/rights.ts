import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { connectTo } from './database.ts';

const FILE = join(import.meta.dirname, '../../docs/grants.sql');
const PASSWORD = 'change me';

/** Who the functions are to the Dolt server. */
export interface DatabaseUser {
  user: string;
  password: string;
}

/** Makes a user with the rights of docs/grants.sql for one database, and no other. */
export async function makeUser(port: number, database: string): Promise<DatabaseUser> {
  const user = nameFor(database);
  const statements = readFileSync(FILE, 'utf8')
    .replace(/^--.*$/gm, '')
    .replaceAll('beads-dispatch', user)
    .replaceAll('code.', `${database}.`)
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
    await connection.query(`DROP USER '${nameFor(database)}'@'%'`);
  } finally {
    await connection.end();
  }
}

const nameFor = (database: string) => `u_${database}`;
