import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Exchange {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Aborted when the client hangs up before it has an answer. */
  signal: AbortSignal;
}

/** `hangup` closes the connection without an answer; `silence` never answers. */
export type Reply = { status: number; json?: unknown; text?: string } | 'hangup' | 'silence';

/** A real HTTP server on a free port that answers as a function says. */
export class HttpStandIn {
  readonly #server: Server;
  readonly url: string;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /**
   * @param port any free one by default.
   * @param host where it is reached from; this machine alone by default.
   */
  static async start(
    answer: (exchange: Exchange) => Reply | Promise<Reply>,
    port = 0,
    host = '127.0.0.1',
  ): Promise<HttpStandIn> {
    const server = createServer((request, response) => {
      void (async () => {
        const { method = '', url = '', headers } = request;
        const gone = new AbortController();
        response.once('close', () => {
          if (!response.writableFinished) gone.abort();
        });
        const body = await text(request);
        const { signal } = gone;
        const reply = await answer({ method, path: url, headers, body, signal });
        if (reply === 'hangup') response.destroy();
        if (typeof reply === 'string') return;
        const content = reply.json === undefined ? reply.text : JSON.stringify(reply.json);
        if (reply.json !== undefined) response.setHeader('content-type', 'application/json');
        response.writeHead(reply.status).end(content);
      })().catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
    server.listen(port, host);
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return new HttpStandIn(server, `http://127.0.0.1:${address.port}`);
  }

  /** Nobody is there: connections are refused. */
  async pause(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** There again, on the same port. */
  async resume(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(Number(new URL(this.url).port), '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    await this.pause();
  }
}
