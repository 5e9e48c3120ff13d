import { grantStatements, type GrantsFor } from '../../tools/grants-file.ts';
import { connectTo } from './database.ts';

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
  program: GrantsFor = 'functions',
): Promise<DatabaseUser> {
  const user = nameFor(database, program);
  const statements = grantStatements(program, { database, password: PASSWORD, user });
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

const nameFor = (database: string, program: GrantsFor) =>
  `${program === 'watch' ? 'w' : 'u'}_${database}`;
