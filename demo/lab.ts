import { setTimeout as pause } from 'node:timers/promises';

import * as z from 'zod';

import { errorMessage } from '../shared/runtime/errors.ts';
import { parseJson } from '../shared/runtime/json.ts';
import { BeadBoardStandIn } from '../test/world/beadboard.ts';
import { NEWEST } from '../test/world/bd-schema.ts';
import { connectTo, createDatabase } from '../test/world/database.ts';
import { HttpStandIn, type Exchange, type Reply } from '../test/world/http-stand-in.ts';
import { Tracker } from '../test/world/tracker.ts';
import { GRANTS, grantStatements } from '../tools/grants-file.ts';

/**
 * The lab of `kn beads verify`, a program of the image: a stand-in for BeadBoard with its agents, one
 * for a subscriber of events, and the hands of a person who makes and looks at beads, all over HTTP.
 * It makes the bd-shaped database and the two SQL users when it starts.
 */

const ANYWHERE = '0.0.0.0';
const environment = z
  .object({
    LAB_DOLT_HOST: z.string(),
    LAB_DOLT_PORT: z.coerce.number(),
    LAB_DATABASE: z.string(),
    LAB_PASSWORD: z.string(),
    LAB_AGENTS: z.coerce.number().default(4),
    PORT: z.coerce.number().default(8080),
    LAB_BOARD_PORT: z.coerce.number().default(8082),
  })
  .parse(process.env);
const { LAB_DOLT_PORT: doltPort, LAB_DATABASE: database } = environment;
/** A server that starts, or starts again, is there within this. */
const PATIENCE_MS = 120_000;
const STEP_MS = 500;
/** Long enough to be seen at work. */
const WORK_MS = 1_000;

/** What an agent does with each bead from now on, and BeadBoard with each POST. */
const script = z.object({
  agents: z.enum(['finish', 'stall']).optional(),
  answerAfterMs: z.number().optional(),
});
let agents: 'finish' | 'stall' = 'finish';
let answerAfterMs = 0;
const posts: { id: string; at: string }[] = [];
let board: BeadBoardStandIn | undefined;
const events: { type: string; subject: string; id: string; at: string }[] = [];

void main();

async function main(): Promise<void> {
  await patiently(makeDatabase);
  board = await BeadBoardStandIn.start(
    (id) => act((tracker) => tracker.find(id)),
    environment.LAB_AGENTS,
    environment.LAB_BOARD_PORT,
    ANYWHERE,
  );
  board.onPost = async (id) => {
    posts.push({ id, at: new Date().toISOString() });
    await pause(answerAfterMs);
    return undefined;
  };
  board.onJob = (id, job) => {
    void work(id, job).catch((error: unknown) => console.error(errorMessage(error)));
  };
  await HttpStandIn.start(answer, environment.PORT, ANYWHERE);
  console.log('the lab listens');
  process.once('SIGTERM', () => process.exit(0));
}

/** As a real agent: notes, works, and closes the bead; or notes and is never heard of again. */
async function work(id: string, job: string): Promise<void> {
  const stalls = agents === 'stall';
  // A note of bd's own could overwrite the dispatcher's, which comes at this moment.
  await act((tracker) => tracker.appendNote(id, `claimed by agent ${job}`, 'agent'));
  if (!stalls) {
    await pause(WORK_MS);
    await act((tracker) => tracker.closeBead(id, `completed by agent ${job}`, 'agent'));
  }
  board?.finish(job);
}

async function answer({ method, path, headers, body }: Exchange): Promise<Reply> {
  const [, kind = '', id = '', verb = ''] = path.split('/');
  const given = parseJson(body || '{}');
  switch (`${method} ${kind}${verb === '' ? '' : `/${verb}`}`) {
    case 'GET healthz':
      return { status: 200, text: 'ok' };
    case 'GET beads':
      return { status: 200, json: (await act((tracker) => tracker.find(id))) ?? null };
    case 'PUT beads':
      await act((tracker) => tracker.create(id, { assignee: 'agent' }));
      return { status: 204 };
    case 'POST beads/age': {
      const { minutes } = z.object({ minutes: z.number() }).parse(given);
      await act((tracker) => tracker.age(id, minutes));
      return { status: 204 };
    }
    case 'GET posts':
      return { status: 200, json: posts };
    case 'PUT script':
      ({ agents = agents, answerAfterMs = answerAfterMs } = script.parse(given));
      return { status: 204 };
    case 'POST events': {
      const [type, subject, eventId] = ['ce-type', 'ce-subject', 'ce-id'].map((name) =>
        String(headers[name] ?? ''),
      );
      const at = new Date().toISOString();
      events.push({ type: type ?? '', subject: subject ?? '', id: eventId ?? '', at });
      return { status: 204 };
    }
    case 'GET events':
      return { status: 200, json: events };
    case 'POST refuse':
      return { status: 503 };
    default:
      return { status: 404, text: `${method} ${path}` };
  }
}

/** Writes again when a tick was faster, or while the server is away. */
async function act<T>(write: (tracker: Tracker) => Promise<T>): Promise<T> {
  return await patiently(() => withTracker(write));
}

async function withTracker<T>(work: (tracker: Tracker) => Promise<T>): Promise<T> {
  const tracker = await Tracker.open(doltPort, database);
  try {
    return await work(tracker);
  } finally {
    await tracker.close();
  }
}

async function makeDatabase(): Promise<void> {
  const connection = await connectTo(doltPort);
  try {
    const [found] = await connection.query('SHOW DATABASES LIKE ?', [database]);
    if (Array.isArray(found) && found.length === 0) {
      await createDatabase(doltPort, database, NEWEST);
    }
    for (const program of ['functions', 'watch'] as const) {
      const { user } = GRANTS[program];
      const password = environment.LAB_PASSWORD;
      for (const statement of grantStatements(program, { database, password, user }))
        await connection.query(statement);
    }
  } finally {
    await connection.end();
  }
}

/** @throws what went wrong last, when it does so for too long. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      console.error(`the lab waits: ${errorMessage(error)}`);
      await pause(STEP_MS);
    }
  }
}
