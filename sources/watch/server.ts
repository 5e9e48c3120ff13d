import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { describeError, portProblem } from '../../shared/runtime/errors.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { METRICS_TYPE } from './metrics.ts';
import { pageWith } from './page.ts';
import type { StateReader } from './state-reader.ts';

/** Without a snapshot for so long the watcher is not ready. */
const STALE_MS = 120_000;
/** A comment on the stream, so that no proxy takes it for dead. */
const KEEP_ALIVE_MS = 20_000;
/** More pages at once than anybody has open. */
const MOST_STREAMS = 100;

export interface ServerParts {
  reader: StateReader;
  port: number;
  /** Before every path, without a slash at its end; empty at the root. */
  basePath: string;
  log: Logger;
}

/** What the watcher serves: health, metrics, the state as JSON, and one page. It is read-only. */
export class StateServer {
  readonly #parts: ServerParts;
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  #snapshotAt = performance.now();

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        const { code, message } = describeError(error);
        parts.log.warn({ code, problem: message }, 'a request could not be answered');
        if (response.headersSent) response.destroy();
        else send(response, 503, JSON.stringify({ code, message: 'see the log' }));
      });
    });
  }

  listen(): void {
    const { port, log } = this.#parts;
    this.#server.once('error', (error) => {
      log.fatal(portProblem(error));
      process.exit(1);
    });
    this.#server.listen(port, () => log.info({ port }, 'listening'));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The watcher has read the beads, and they may have changed. */
  tell(): void {
    this.#snapshotAt = performance.now();
    this.#parts.reader.forget();
    for (const stream of this.#streams) stream.write('event: changed\ndata:\n\n');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { basePath, reader } = this.#parts;
    const path = new URL(request.url ?? '/', 'http://watcher').pathname;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, JSON.stringify({ message: 'this is read-only' }));
      return;
    }
    if (path === '/healthz') {
      send(response, 200, 'ok', TEXT);
      return;
    }
    if (path === '/readyz') {
      const isReady = performance.now() - this.#snapshotAt < STALE_MS;
      send(response, isReady ? 200 : 503, isReady ? 'ok' : 'no snapshot', TEXT);
      return;
    }
    if (path === '/metrics') {
      send(response, 200, await reader.metrics(), METRICS_TYPE);
      return;
    }
    if (basePath !== '' && path === basePath) {
      response.writeHead(308, { ...HEADERS, location: `${basePath}/` }).end();
      return;
    }
    if (!path.startsWith(`${basePath}/`)) {
      notFound(response);
      return;
    }
    const rest = path.slice(basePath.length);
    const [, id] = /^\/api\/v1\/beads\/([^/]+)$/.exec(rest) ?? [];
    if (id !== undefined) {
      const name = decoded(id);
      if (name === undefined) {
        send(response, 400, JSON.stringify({ message: 'the id is not percent-encoded' }));
        return;
      }
      const view = await reader.bead(name);
      const isKnown = view.why.reasons[0]?.code !== 'unknown';
      send(response, isKnown ? 200 : 404, JSON.stringify(view));
    } else if (rest === '/api/v1/state') {
      send(response, 200, JSON.stringify(await reader.state()));
    } else if (rest === '/api/v1/events') {
      this.#stream(response);
    } else if (rest === '/') {
      const nonce = randomBytes(16).toString('base64');
      response.setHeader('content-security-policy', policyWith(nonce));
      send(response, 200, pageWith(nonce), 'text/html; charset=utf-8');
    } else {
      notFound(response);
    }
  }

  #stream(response: ServerResponse): void {
    if (this.#streams.size >= MOST_STREAMS) {
      send(response, 503, '{}');
      return;
    }
    response.writeHead(200, {
      ...HEADERS,
      'content-type': 'text/event-stream',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    this.#streams.add(response);
    const timer = setInterval(() => response.write(':\n\n'), KEEP_ALIVE_MS);
    response.once('close', () => {
      clearInterval(timer);
      this.#streams.delete(response);
    });
  }
}

const TEXT = 'text/plain; charset=utf-8';
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** The page loads nothing from elsewhere, and runs the one script that is in it. */
const policyWith = (nonce: string) =>
  `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'application/json; charset=utf-8',
): void {
  response.writeHead(status, { ...HEADERS, 'content-type': type }).end(body);
}

/** @returns `undefined` for what is not percent-encoded. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

const notFound = (response: ServerResponse) =>
  send(response, 404, JSON.stringify({ message: 'not found' }));
