import { HttpStandIn } from './http-stand-in.ts';

/** A stand-in for the agent service: `/health`, and `/jobs/{id}` for those with the token. */
export class AgentServiceStandIn {
  /** State by job id; a job that is not here is not known, as after a restart. */
  readonly jobs = new Map<string, string>();
  health = { status: 'ok', busy: false, active: 0, queued: 0, capacity: 10 };
  readonly token = 'test-token';

  readonly #http: HttpStandIn;

  private constructor(http: HttpStandIn) {
    this.#http = http;
  }

  static async start(): Promise<AgentServiceStandIn> {
    const http = await HttpStandIn.start(({ path, headers }) => {
      if (path === '/health') return { status: 200, json: service.health };
      if (headers.authorization !== `Bearer ${service.token}`) {
        return { status: 401, json: { detail: 'Invalid token' } };
      }
      const state = service.jobs.get(path.replace('/jobs/', ''));
      return state === undefined
        ? { status: 404, json: { detail: 'Job not found' } }
        : { status: 200, json: { status: state, exit_code: null, output: '' } };
    });
    const service: AgentServiceStandIn = new AgentServiceStandIn(http);
    return service;
  }

  get url(): string {
    return this.#http.url;
  }

  async stop(): Promise<void> {
    await this.#http.stop();
  }
}
