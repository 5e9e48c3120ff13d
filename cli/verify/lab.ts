import * as z from 'zod';

/** What happens within the lab is asked over a port-forward; one that hangs is cut. */
const TIMEOUT_MS = 130_000;

const bead = z.object({ status: z.string(), notes: z.string(), assignee: z.string().nullable() });
export type LabBead = z.output<typeof bead>;
const posts = z.array(z.object({ id: z.string(), at: z.coerce.date() }));
const events = z.array(
  z.object({ type: z.string(), subject: z.string(), id: z.string(), at: z.coerce.date() }),
);

/** The lab in the cluster (demo/lab.ts), as a person, BeadBoard and a subscriber at once. */
export class Lab {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Makes a bead that is assigned to the agent. */
  async create(id: string): Promise<void> {
    await this.#ask('PUT', `beads/${id}`);
  }

  /** @throws when there is none of that id. */
  async bead(id: string): Promise<LabBead> {
    return bead.parse(await this.#ask('GET', `beads/${id}`));
  }

  /** Moves a bead's last change into the past. */
  async age(id: string, minutes: number): Promise<void> {
    await this.#ask('POST', `beads/${id}/age`, { minutes });
  }

  /** What agents do with a bead from now on, and how long BeadBoard takes to answer a POST. */
  async script(given: { agents?: 'finish' | 'stall'; answerAfterMs?: number }): Promise<void> {
    await this.#ask('PUT', 'script', given);
  }

  /** Every POST that BeadBoard got, with the time by the lab's clock. */
  async posts(id: string): Promise<{ id: string; at: Date }[]> {
    return posts.parse(await this.#ask('GET', 'posts')).filter((post) => post.id === id);
  }

  /** Every event that the subscriber got. */
  async events(): Promise<z.output<typeof events>> {
    return events.parse(await this.#ask('GET', 'events'));
  }

  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}/${path}`, {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`the lab answers HTTP ${response.status}: ${answer}`);
    return answer === '' ? undefined : JSON.parse(answer);
  }
}
