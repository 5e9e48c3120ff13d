import type { Agent } from 'undici';

/**
 * One HTTP request: bounded in time, with a bounded answer, never followed or repeated. Each
 * goes over a fresh connection, because a kept one may die under a POST and leave its outcome open.
 */
let agent: Promise<Agent> | undefined;

/** An idle tick calls nobody, and need not wait for a client. */
async function loadAgent(): Promise<Agent> {
  const { Agent } = await import('undici');
  return new Agent({ pipelining: 0 });
}

/** Enough for every documented answer; a larger one is cut, not kept. */
const MAX_BODY_BYTES = 64 * 1024;

export interface HttpAnswer {
  status: number;
  /** The first 64 KiB of the body, as text. */
  body: string;
}

export interface HttpCall {
  method: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string>;
  body?: string;
  /** From the first packet to the last byte of the answer. */
  timeoutMs: number;
}

/**
 * @throws {NoConnectionError} the request certainly never left this process.
 * @throws {NoAnswerError} it may have arrived, but no whole answer came back.
 */
export async function call({
  method,
  url,
  headers,
  body,
  timeoutMs,
}: HttpCall): Promise<HttpAnswer> {
  const client = await (agent ??= loadAgent());
  try {
    const { origin, pathname, search } = new URL(url);
    const answer = await client.request({
      origin,
      path: pathname + search,
      method,
      signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.statusCode, body: await readCapped(answer.body) };
  } catch (error) {
    const reason = describeNetworkError(error, timeoutMs);
    if (isNotConnected(error)) throw new NoConnectionError(reason, { cause: error });
    if (isTimeout(error)) throw new NoAnswerInTimeError(reason, { cause: error });
    throw new NoAnswerError(reason, { cause: error });
  }
}

/** Nothing was sent. */
export class NoConnectionError extends Error {}

/** Something may have been sent. */
export class NoAnswerError extends Error {}

/** The time was over before the answer was complete. */
export class NoAnswerInTimeError extends NoAnswerError {}

const isTimeout = (error: unknown) => error instanceof Error && error.name === 'TimeoutError';

/** What undici and the system report before a connection stands. */
const NOT_CONNECTED: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ECONNREFUSED']);
/** The system calls of that time: the name is looked up, the connection is made. */
const CONNECTING: ReadonlySet<unknown> = new Set(['getaddrinfo', 'connect']);

function isNotConnected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall }: NodeJS.ErrnoException = error;
  return (
    (code !== undefined && NOT_CONNECTED.has(code)) ||
    CONNECTING.has(syscall) ||
    isNotConnected(error.cause)
  );
}

async function readCapped(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8');
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return 'code' in error && typeof error.code === 'string' ? error.code : codeOf(error.cause);
}

function describeNetworkError(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (isTimeout(error)) return `no answer within ${timeoutMs} ms`;
  if (codeOf(error) === 'UND_ERR_SOCKET')
    return 'the connection was closed before there was an answer';
  return error.message || codeOf(error) || error.name;
}
