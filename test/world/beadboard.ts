import { randomBytes } from 'node:crypto';

import { HttpStandIn, type Exchange, type Reply } from './http-stand-in.ts';

/** What BeadBoard looks up of a bead before it dispatches it. */
export interface BoardBead {
  acceptance_criteria: string;
}

/**
 * A stand-in for BeadBoard and the agent service behind it, with the documented answers: busy when
 * all agents work, 400 for a bead that is missing or has no acceptance criteria, 409 when busy, 200
 * with a 12-digit job id. It is not idempotent, as BeadBoard is not: each accepted POST is one job.
 */
export class BeadBoardStandIn {
  /** How many jobs run at once. */
  capacity: number;
  /** Every taskId that was posted, in order. */
  readonly posts: string[] = [];
  /** How often it was asked whether it is busy. */
  statusCalls = 0;
  /** Job id by bead, of all jobs that were started. */
  readonly jobs: { beadId: string; jobId: string; traceparent: string }[] = [];
  /** Set to answer the POST of a bead, or the status question, differently. */
  onPost: ((beadId: string) => Reply | undefined | Promise<Reply | undefined>) | undefined;
  onStatus: (() => Reply) | undefined;
  /** Called when a job starts. */
  onJob: ((beadId: string, jobId: string) => void) | undefined;

  readonly #http: HttpStandIn;
  readonly #find: (id: string) => Promise<BoardBead | undefined>;
  readonly #running = new Set<string>();

  private constructor(
    http: HttpStandIn,
    find: (id: string) => Promise<BoardBead | undefined>,
    capacity: number,
  ) {
    this.#http = http;
    this.#find = find;
    this.capacity = capacity;
  }

  /**
   * @param find looks a bead up in the database, as BeadBoard does on its own.
   * @param port any free one by default.
   * @param host as {@link HttpStandIn.start}.
   */
  static async start(
    find: (id: string) => Promise<BoardBead | undefined>,
    capacity: number,
    port = 0,
    host?: string,
  ): Promise<BeadBoardStandIn> {
    const http = await HttpStandIn.start((exchange) => board.#answer(exchange), port, host);
    const board: BeadBoardStandIn = new BeadBoardStandIn(http, find, capacity);
    return board;
  }

  get url(): string {
    return this.#http.url;
  }

  /** The beads whose jobs run. */
  get working(): string[] {
    return this.jobs.filter(({ jobId }) => this.#running.has(jobId)).map(({ beadId }) => beadId);
  }

  get running(): number {
    return this.#running.size;
  }

  /** A job has ended, however. */
  finish(jobId: string): void {
    this.#running.delete(jobId);
  }

  /** Nobody is there, until it resumes. */
  async pause(): Promise<void> {
    await this.#http.pause();
  }

  async resume(): Promise<void> {
    await this.#http.resume();
  }

  async stop(): Promise<void> {
    await this.#http.stop();
  }

  async #answer({ method, path, headers, body }: Exchange): Promise<Reply> {
    if (method === 'GET' && path === '/api/agent-status') {
      this.statusCalls += 1;
      return (
        this.onStatus?.() ?? { status: 200, json: { busy: this.#running.size >= this.capacity } }
      );
    }
    if (method === 'POST' && path === '/api/agent-dispatch') {
      return await this.#dispatch(body, String(headers['traceparent'] ?? ''));
    }
    return { status: 404, json: { error: 'not found' } };
  }

  async #dispatch(body: string, traceparent: string): Promise<Reply> {
    const beadId = taskIdOf(body);
    if (beadId === undefined) return refuse(400, 'Invalid JSON body.');
    if (beadId === '') return refuse(400, 'taskId is required.');
    this.posts.push(beadId);
    const scripted = await this.onPost?.(beadId);
    if (scripted !== undefined) return scripted;
    const bead = await this.#find(beadId);
    if (bead === undefined) return refuse(400, `Bead ${beadId} not found.`);
    if (bead.acceptance_criteria.trim() === '') {
      return refuse(400, `Bead ${beadId} is missing acceptance criteria.`);
    }
    if (this.#running.size >= this.capacity) return busy();
    const jobId = randomBytes(6).toString('hex');
    this.#running.add(jobId);
    this.jobs.push({ beadId, jobId, traceparent });
    this.onJob?.(beadId, jobId);
    return { status: 200, json: { job_id: jobId } };
  }
}

/** What it says when no agent is free. */
export const busy = () => refuse(409, 'Agent is busy');

const refuse = (status: number, error: string): Reply => ({ status, json: { error } });

function taskIdOf(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const id =
      typeof parsed === 'object' && parsed !== null && 'taskId' in parsed ? parsed.taskId : '';
    return typeof id === 'string' ? id.trim() : '';
  } catch {
    return undefined;
  }
}
