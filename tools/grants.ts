import { createConnection, type Connection } from 'mysql2/promise';

import { GRANTS, grantStatements, type GrantsFor } from './grants-file.ts';

/**
 * `make grants DB=code PASSWORD=…`: makes or updates the SQL user of the functions (or, with
 * FOR=watch, of the watcher), then logs in as it and tries what it needs.
 */

const {
  DB: database = '',
  PASSWORD: password = '',
  HOST: host = '127.0.0.1',
  PORT: port = '3306',
  ADMIN: admin = 'root',
  ADMIN_PASSWORD: adminPassword = '',
  FOR: program = 'functions',
} = process.env;

async function run(): Promise<string> {
  if (database === '' || password === '' || !isProgram(program)) {
    throw new Error(
      'usage: make grants DB=<database> PASSWORD=<new password> [HOST=127.0.0.1] [PORT=3306] [ADMIN=root] [ADMIN_PASSWORD=…] [FOR=functions|watch]',
    );
  }
  // They become part of statements that take no parameters.
  for (const [name, value] of Object.entries({ DB: database, PASSWORD: password })) {
    if (!/^[\w.~@%+=:,/-]+$/.test(value))
      throw new Error(`${name} takes letters, digits and _.~@%+=:,/-`);
  }
  const { user } = GRANTS[program];
  const server = await connect(admin, adminPassword);
  try {
    const [found] = await server.query('SHOW DATABASES LIKE ?', [database]);
    if (!Array.isArray(found) || found.length === 0) {
      throw new Error(`there is no database ${database} on ${host}:${port}; nothing was changed`);
    }
    for (const statement of grantStatements(program, { database, password, user }))
      await server.query(statement);
  } finally {
    await server.end();
  }
  const tried = await tryAs(user, program);
  return `${user} may use ${database} on ${host}:${port}: ${tried.join(', ')} tried`;
}

const isProgram = (name: string): name is GrantsFor => name in GRANTS;

async function connect(user: string, secret: string, name?: string): Promise<Connection> {
  try {
    return await createConnection({
      host,
      port: Number(port),
      user,
      password: secret,
      ...(name === undefined ? {} : { database: name }),
    });
  } catch (error) {
    throw new Error(
      `cannot log in as ${user} on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/** Statements that need a right and change nothing. */
const TRIALS: Readonly<Record<GrantsFor, Readonly<Record<string, string>>>> = {
  functions: {
    'read beads': 'SELECT 1 FROM issues LIMIT 1',
    'write beads': 'UPDATE issues SET title = title WHERE 1 = 0',
    'write history': 'INSERT INTO events (id) SELECT id FROM events WHERE 1 = 0',
    'write events': 'DELETE FROM local_metadata WHERE 1 = 0',
    // Without a message it refuses, but only whoever may call it.
    commit: 'CALL DOLT_COMMIT()',
  },
  watch: { 'read beads': 'SELECT 1 FROM issues LIMIT 1' },
};

async function tryAs(user: string, as: GrantsFor): Promise<string[]> {
  const connection = await connect(user, password, database);
  try {
    for (const [what, statement] of Object.entries(TRIALS[as])) {
      try {
        await connection.query(statement);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const isRefusedAsMeant = what === 'commit' && !/denied/i.test(message);
        if (!isRefusedAsMeant)
          throw new Error(`${user} cannot ${what}: ${message}`, { cause: error });
      }
    }
    return Object.keys(TRIALS[as]);
  } finally {
    await connection.end();
  }
}

try {
  console.log(await run());
} catch (error) {
  console.error(`grants: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
