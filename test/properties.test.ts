import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ToCloudEvent } from '../shared/events/to-cloud-event.ts';
import { BeadBoard } from '../shared/targets/beadboard/beadboard.ts';
import { BeadsDatabase, type Beads } from '../shared/beads/beads.ts';
import { parseMarker } from '../shared/beads/rows/claim-marker.ts';
import { expectAudited, retryParked } from './world/audit.ts';
import { GENERATIONS } from './world/bd-schema.ts';
import type { Reply } from './world/http-stand-in.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';

/**
 * Random histories on a real database: ticks that overlap and die, answers that are lost, people
 * who note, close, reassign and reopen in between. A seeded scheduler decides whose step comes
 * next; after every command the invariants of docs/invariants.md must hold.
 */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 40);
/** The same histories each time; another seed tries others. */
const SEED = Number(process.env['PROPERTY_SEED'] ?? 20_261_121);
const BEADS = ['code-a', 'code-b', 'code-c'] as const;
/** In one of five histories this bead is too large to be dispatched. */
const HUGE_BEAD = 'code-c';
const HUGE = 'x'.repeat(2_000_000);

/** What only people may change: what they last set, by bead. */
interface Model {
  closed: Set<string>;
  assignee: Map<string, string>;
  notes: Map<string, string[]>;
  /** How often a person asked for one more try. */
  reopened: Map<string, number>;
}

interface Real {
  scene: Scene;
  scheduler: fc.Scheduler;
  /** Ticks under way. */
  running: Promise<unknown>[];
  /** Answers to the next POSTs; without one BeadBoard accepts. */
  answers: Reply[];
  /** The sink refused events, which are then taken out of their order. */
  hasRefused: boolean;
  /** POSTs that BeadBoard took, or that nobody knows of, by bead. */
  taken: Map<string, number>;
}

/** A process that dies: nothing of the tick runs after it, and its connections break. */
class Death extends Error {}

/** Printed at the end, so that a reader sees how much was tried. */
const totals = { histories: 0, huge: 0, deaths: 0, posts: 0, events: 0, deliveries: 0 };

type Command = fc.AsyncCommand<Model, Real>;
const isAlways = () => true;

/** Makes each call of an object a step of the scheduler, and lets the tick die at one of them. */
function steps<T extends object>(target: T, scheduler: fc.Scheduler, die: () => boolean): T {
  return new Proxy(target, {
    get: (object, name) => {
      const method: unknown = Reflect.get(object, name);
      if (typeof method !== 'function') return method;
      return async (...args: unknown[]) => {
        await scheduler.schedule(Promise.resolve(), String(name));
        if (die()) throw new Death(`before ${String(name)}`);
        const result: unknown = await method.apply(object, args);
        if (die()) throw new Death(`after ${String(name)}`);
        return result;
      };
    },
  });
}

/** Hands out beads whose every call is a step. */
class SteppedDatabase extends BeadsDatabase {
  step: (beads: Beads) => Beads = (beads) => beads;

  override async use<T>(envelope: ToCloudEvent, work: (beads: Beads) => Promise<T>): Promise<T> {
    return await super.use(envelope, (beads) => work(this.step(beads)));
  }
}

class Tick implements Command {
  readonly diesAt: number;
  readonly check = isAlways;
  constructor(diesAt: number) {
    this.diesAt = diesAt;
  }
  async run(_: Model, { scene, scheduler, running }: Real): Promise<void> {
    let left = this.diesAt;
    const die = () => {
      left -= 1;
      if (left === 0) totals.deaths += 1;
      // Dead is dead: whatever catches the first one meets it again.
      return left <= 0;
    };
    const database = new SteppedDatabase(scene.settings, 'agent');
    database.step = (beads) => steps(beads, scheduler, die);
    const beadboard = steps(new BeadBoard(scene.board.url, 5_000), scheduler, die);
    const policy = {
      ...DEFAULT_POLICY,
      retry: { maxAttempts: 3, backOff: { baseMs: 1, maxMs: 1 } },
    };
    running.push(
      scene.dispatch({ database, beadboard, policy }).catch((error: unknown) => {
        if (!(error instanceof Death)) throw error;
      }),
    );
  }
  toString = () => (this.diesAt > 40 ? 'tick' : `tick dying at ${this.diesAt}`);
}

class Reap implements Command {
  readonly check = isAlways;
  async run(_: Model, { scene, running }: Real): Promise<void> {
    running.push(scene.reap());
  }
  toString = () => 'reap';
}

/** Looks in the middle of things. */
class Check implements Command {
  readonly check = isAlways;
  async run(model: Model, real: Real): Promise<void> {
    await expectInvariants(model, real);
  }
  toString = () => 'check';
}

/** The sink, from now on: works, fails, or takes events and does not say so. */
class SinkTurns implements Command {
  readonly reply: Reply;
  readonly takesAnyway: boolean;
  readonly check = isAlways;
  constructor(reply: Reply, takesAnyway = false) {
    this.reply = reply;
    this.takesAnyway = takesAnyway;
  }
  async run(_: Model, real: Real): Promise<void> {
    const { scene } = real;
    if (typeof this.reply === 'object' && this.reply.status === 400) real.hasRefused = true;
    scene.sink.reply = this.reply;
    scene.sink.takesAnyway = this.takesAnyway;
  }
  toString = () => `sink ${JSON.stringify(this.reply)}${this.takesAnyway ? ', taking' : ''}`;
}

class Answer implements Command {
  readonly reply: Reply;
  readonly check = isAlways;
  constructor(reply: Reply) {
    this.reply = reply;
  }
  async run(_: Model, { answers }: Real): Promise<void> {
    answers.push(this.reply);
  }
  toString = () => `answer ${JSON.stringify(this.reply)}`;
}

/**
 * Something a person does to a bead. A person's bd may lose against a tick and is then run again.
 */
class Person implements Command {
  readonly bead: string;
  readonly act: 'note' | 'close' | 'take' | 'give' | 'reopen' | 'age' | 'wait';
  readonly check = isAlways;
  constructor(bead: string, act: Person['act']) {
    this.bead = bead;
    this.act = act;
  }
  async run(model: Model, { scene }: Real): Promise<void> {
    const { tracker } = scene;
    const id = this.bead;
    await tracker.retrying(async () => {
      switch (this.act) {
        case 'note': {
          const note = `person: ${model.notes.get(id)?.length ?? 0}`;
          await tracker.appendNote(id, note);
          model.notes.set(id, [...(model.notes.get(id) ?? []), note]);
          break;
        }
        case 'close':
          await tracker.closeBead(id, 'by hand');
          model.closed.add(id);
          break;
        case 'take':
          await tracker.assign(id, 'person');
          model.assignee.set(id, 'person');
          break;
        case 'give':
          await tracker.assign(id, 'agent');
          model.assignee.set(id, 'agent');
          break;
        case 'reopen':
          await tracker.update(id, { status: 'open', closed_at: null });
          model.closed.delete(id);
          model.reopened.set(id, (model.reopened.get(id) ?? 0) + 1);
          break;
        case 'age':
          await tracker.age(id, 45);
          break;
        case 'wait':
          for (const each of BEADS) await tracker.ageHistory(each, 60);
          break;
      }
    });
  }
  toString = () => `${this.act} ${this.bead}`;
}

async function settle({ scheduler, running }: Real): Promise<void> {
  const all = Promise.all(running.splice(0));
  await scheduler.waitFor(all);
}

async function expectInvariants(model: Model, { scene, taken }: Real): Promise<void> {
  const { tracker, board, sink } = scene;
  expect(sink.contradictions, 'an event is the same on every delivery').toEqual([]);
  const dirty = await tracker.dirtyTables();
  expect(dirty, 'the working set is clean').not.toContain('issues');
  for (const id of BEADS) {
    const bead = await tracker.show(id);
    const claims = (await tracker.eventsBy('beads-dispatcher', id)).filter(({ new_value }) =>
      new_value.endsWith('"status":"in_progress"}'),
    );
    const posts = board.posts.filter((posted) => posted === id);
    expect(posts.length, `${id}: at most one POST a claim`).toBeLessThanOrEqual(claims.length);
    expect(
      taken.get(id) ?? 0,
      `${id}: handed out once, and once more for each time a person asked`,
    ).toBeLessThanOrEqual(1 + (model.reopened.get(id) ?? 0));
    if (model.closed.has(id)) expect(bead.status, `${id} was closed by a person`).toBe('closed');
    expect(bead.assignee, `${id} belongs to whom a person gave it`).toBe(model.assignee.get(id));
    for (const note of model.notes.get(id) ?? []) expect(bead.notes.split('\n')).toContain(note);
  }
}

/** What is still claimed after all tickers are dead is settled by the next tick. */
async function expectNothingStranded({ scene }: Real): Promise<void> {
  await scene.dispatch({ tickTimeoutMs: -1 });
  for (const { id, status, assignee, metadata } of await scene.tracker.list()) {
    const cell: unknown = JSON.parse(metadata ?? '{}').beads_auto_dispatch;
    const step = parseMarker(typeof cell === 'string' ? cell : null);
    // What a person has taken over is theirs to open again.
    if (status === 'in_progress' && assignee === 'agent')
      expect(step?.name, `${id} is not stranded`).not.toBe('claimed');
  }
}

const bead = fc.constantFrom(...BEADS);
const replies: Reply[] = [
  { status: 500, json: { error: 'not configured' } },
  { status: 409, json: { error: 'Agent is busy' } },
  'hangup',
];
const commands = [
  fc.constant(new Tick(99)),
  fc.constant(new Tick(99)),
  fc.constant(new Person('code-a', 'wait')),
  fc.integer({ min: 1, max: 16 }).map((diesAt) => new Tick(diesAt)),
  fc.constant(new Reap()),
  fc.constant(new Check()),
  fc.constantFrom(...replies).map((reply) => new Answer(reply)),
  fc.constantFrom(
    new SinkTurns({ status: 202 }),
    new SinkTurns({ status: 503 }),
    new SinkTurns({ status: 400 }),
    new SinkTurns('hangup', true),
  ),
  fc
    .tuple(bead, fc.constantFrom('note', 'close', 'take', 'give', 'reopen', 'age', 'wait'))
    .map(([id, act]) => new Person(id, act)),
];

describe('whatever happens in whatever order', () => {
  it(`the invariants hold, in ${RUNS} random histories`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.commands(commands, { maxCommands: 24, size: 'max' }),
        fc.constantFrom(...GENERATIONS),
        fc.integer({ min: 1, max: 5 }),
        async (scheduler, history, generation, oneOfFive) => {
          const scene = await Scene.open(generation);
          const real: Real = {
            scene,
            scheduler,
            running: [],
            answers: [],
            hasRefused: false,
            taken: new Map(),
          };
          // Before 49 no text is so large.
          const isHuge = oneOfFive === 1 && generation >= 49;
          const fields = isHuge ? { description: HUGE } : {};
          const model: Model = {
            closed: new Set(),
            assignee: new Map(BEADS.map((id) => [id, 'agent'])),
            notes: new Map(),
            reopened: new Map(),
          };
          try {
            for (const id of BEADS) {
              const of = id === HUGE_BEAD ? fields : {};
              await scene.tracker.create(id, { assignee: 'agent', ...of });
            }
            scene.board.onPost = (id) => {
              const reply = real.answers.shift();
              if (typeof reply === 'object') return reply;
              real.taken.set(id, (real.taken.get(id) ?? 0) + 1);
              return reply;
            };
            await fc.scheduledModelRun(scheduler, () => ({ model, real }), history);
            await settle(real);
            await expectInvariants(model, real);
            await expectNothingStranded(real);
            scene.sink.reply = { status: 202 };
            scene.sink.takesAnyway = false;
            await retryParked(scene.tracker);
            await scene.reap();
            await expectAudited(scene, { isOrdered: !real.hasRefused });
            if (isHuge) expect(scene.board.posts).not.toContain(HUGE_BEAD);
            totals.huge += isHuge ? 1 : 0;
            totals.histories += 1;
            totals.posts += scene.board.posts.length;
            totals.events += scene.sink.events.length;
            totals.deliveries += scene.sink.deliveries.length;
          } finally {
            await scene.close();
          }
        },
      ),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    );
    console.log(totals);
  }, 600_000);
});
