import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { HOST } from './database.ts';

/** What the proxy does with a statement: let it through, or hold it (or its answer) for ever. */
export type Passage = 'through' | 'hold-statement' | 'hold-answer';

/** Command byte of a statement in MySQL's protocol, behind 3 bytes of length and 1 of sequence. */
const COM_QUERY = 0x03;
const HEADER_BYTES = 4;

/**
 * A TCP proxy before a Dolt server that sees every statement and can go silent at any of them:
 * before the server gets it, or after the server has carried it out.
 */
export class DatabaseProxy {
  /** Asked for every statement, over all connections; the number counts from 1. */
  onStatement: (sql: string, number: number) => Passage = () => 'through';
  /** Called when a statement is held, or when the answer that is held has come. */
  onHeld: () => void = () => {};
  /** Every statement that was seen. */
  readonly statements: string[] = [];
  /** How many connections there have been. */
  connections = 0;

  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(targetPort: number): Promise<DatabaseProxy> {
    const server = createServer((client) => proxy.#join(client, connect(targetPort, HOST)));
    server.listen(0, HOST);
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const proxy: DatabaseProxy = new DatabaseProxy(server, address.port);
    return proxy;
  }

  /** Breaks every connection, as a restart of something in between would. */
  breakConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.breakConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, upstream: Socket): void {
    this.connections += 1;
    let silent = false;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (silent) return;
      const passage = this.#see(chunk);
      silent = passage !== 'through';
      if (passage === 'hold-statement') this.onHeld();
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (silent) this.onHeld();
      else client.write(chunk);
    });
  }

  #see(chunk: Buffer): Passage {
    if (chunk[HEADER_BYTES] !== COM_QUERY || chunk[HEADER_BYTES - 1] !== 0) return 'through';
    const sql = chunk.subarray(HEADER_BYTES + 1).toString('utf8');
    this.statements.push(sql);
    return this.onStatement(sql, this.statements.length);
  }
}
