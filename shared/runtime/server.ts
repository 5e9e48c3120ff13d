import { existsSync, readdirSync } from 'node:fs';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { getCompileCacheDir } from 'node:module';
import { format } from 'node:util';

import { http as register, type HttpFunction } from '@google-cloud/functions-framework';

import { portProblem } from './errors.ts';
import type { Logger } from './log.ts';
import { oneLine } from './quote.ts';
import { isStopping } from './signals.ts';

/**
 * What stands before the functions-framework (5.0.5), which inflates and parses bodies of up to 1
 * GB before it calls a function, prints a stack trace for JSON that does not parse, and has a
 * setting for none of it.
 */

/**
 * The largest event of this project has less than 4 KiB; intermediaries must forward 64 KiB
 * (CloudEvents 1.0.2).
 */
export const MAX_REQUEST_BYTES = 65_536;

/**
 * Registers a function; the framework, which is loaded next, then serves it within these bounds.
 */
export function serve(name: string, handler: HttpFunction, log: Logger): void {
  logConsole(log);
  warnOfColdCache(log);
  const { createServer } = http;
  http.createServer = (...given: unknown[]) => {
    const listener = given.find(isListener);
    const server = createServer(listener === undefined ? undefined : bounded(listener));
    server.once('listening', () => {
      const address = server.address();
      log.info({ port: typeof address === 'object' ? address?.port : address }, 'listening');
    });
    server.once('error', (error) => {
      log.fatal(portProblem(error));
      process.exit(1);
    });
    return server;
  };
  register(name, handler);
}

/**
 * Node keeps what it compiled in a folder named after its version and the processor's features. An
 * image that was baked on another processor has none for this one, which costs each start some 100
 * ms, without a word from Node.
 */
function warnOfColdCache(log: Logger): void {
  const { NODE_COMPILE_CACHE: wanted } = process.env;
  if (wanted === undefined) return;
  const folder = getCompileCacheDir();
  const isUsed = folder !== undefined && existsSync(folder) && readdirSync(folder).length > 0;
  if (!isUsed) {
    log.warn(
      { folder: wanted },
      'the compile cache was made for another Node or processor, so that each start takes longer; build the image on such a machine',
    );
  }
}

const isListener = (value: unknown): value is RequestListener => typeof value === 'function';

/** Everything that is printed is a log entry of one line, also what the framework prints. */
function logConsole(log: Logger): void {
  const at =
    (level: 'info' | 'warn' | 'error') =>
    (...printed: unknown[]): void =>
      log[level](oneLine(format(...printed)));
  console.log = at('info');
  console.info = at('info');
  console.warn = at('warn');
  console.error = at('error');
}

const contentTypes = new WeakMap<IncomingMessage, string>();

/** The headers as they were sent; the framework is told that every body is just bytes. */
export function headersOf(request: IncomingMessage): http.IncomingHttpHeaders {
  const contentType = contentTypes.get(request);
  const { 'content-type': _, ...headers } = request.headers;
  return contentType === undefined ? headers : { ...headers, 'content-type': contentType };
}

function bounded(listener: RequestListener): RequestListener {
  return (request, response) => {
    if (answersProbe(request, response)) return;
    const { headers } = request;
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      refuse(response, 415, 'a body with a content encoding is not taken');
      return;
    }
    if (Number(headers['content-length'] ?? 0) > MAX_REQUEST_BYTES) {
      refuse(response, 413, TOO_LARGE);
      return;
    }
    if (headers['content-type'] !== undefined) contentTypes.set(request, headers['content-type']);
    headers['content-type'] = 'application/octet-stream';
    boundChunks(request, response);
    listener(request, response);
  };
}

/**
 * Where OpenFaaS asks whether a function lives, and whether it takes requests: one that has been
 * told to end does not.
 */
function answersProbe({ method, url }: IncomingMessage, response: ServerResponse): boolean {
  if (method !== 'GET' || (url !== '/_/health' && url !== '/_/ready')) return false;
  const isUp = url === '/_/health' || !isStopping();
  response.writeHead(isUp ? 200 : 503, { 'content-type': 'text/plain' });
  response.end(isUp ? 'ok' : 'stopping');
  return true;
}

const TOO_LARGE = `a request has at most ${MAX_REQUEST_BYTES} bytes`;

/** Without a length the bytes are counted as they come. */
function boundChunks(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  const push = request.push.bind(request);
  request.push = (chunk: unknown, encoding?: BufferEncoding) => {
    bytes += Buffer.isBuffer(chunk) ? chunk.length : 0;
    if (bytes <= MAX_REQUEST_BYTES) return push(chunk, encoding);
    if (!response.headersSent) refuse(response, 413, TOO_LARGE);
    return false;
  };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ code: 'REQUEST_REFUSED', message }));
  // What is still on its way is not read.
  response.once('finish', () => response.socket?.destroySoon());
}
