import { createConnection, type Connection } from 'mysql2/promise';

import { bdSchema, type Generation } from './bd-schema.ts';

/** Where the Dolt server of the stand-ins is: on this machine, or beside the lab in a cluster. */
export const HOST = process.env['LAB_DOLT_HOST'] ?? '127.0.0.1';

/** A connection as bd and BeadBoard make it: root, no password. */
export async function connectTo(port: number, database?: string): Promise<Connection> {
  const connection = await createConnection({
    host: HOST,
    port,
    user: 'root',
    timezone: 'Z',
    dateStrings: true,
    jsonStrings: true,
    ...(database === undefined ? {} : { database }),
  });
  await connection.query('SET autocommit = 1');
  return connection;
}

/** Makes a bd-shaped database and commits it, as `bd init` does. */
export async function createDatabase(
  port: number,
  name: string,
  generation: Generation,
): Promise<void> {
  const connection = await connectTo(port);
  try {
    await connection.query('CREATE DATABASE ??', [name]);
    await connection.query('USE ??', [name]);
    for (const statement of bdSchema(generation)) await connection.query(statement);
    await connection.query("CALL DOLT_COMMIT('-Am', 'bd init')");
  } finally {
    await connection.end();
  }
}

export async function dropDatabase(port: number, name: string): Promise<void> {
  const connection = await connectTo(port);
  try {
    await connection.query('DROP DATABASE ??', [name]);
  } finally {
    await connection.end();
  }
}
