import { randomBytes } from 'node:crypto';

import { pino } from 'pino';

import { dispatchTick, type DispatchParts } from '../../functions/dispatch/tick.ts';
import { SkipReport } from '../../functions/dispatch/skip-report.ts';
import type { DispatchCounts } from '../../functions/dispatch/progress.ts';
import { reapTick, type ReapCounts, type ReapParts } from '../../functions/reap/tick.ts';
import { toCloudEventFrom } from '../../shared/events/to-cloud-event.ts';
import { Relay } from '../../shared/events/relay.ts';
import { Sink } from '../../shared/events/sink.ts';
import { BeadFaults } from '../../shared/tick/bead-faults.ts';
import { BeadBoard } from '../../shared/targets/beadboard/beadboard.ts';
import { BeadsDatabase, type Beads } from '../../shared/beads/beads.ts';
import type { DatabaseSettings } from '../../shared/settings/settings.ts';
import { traceOf } from '../../shared/runtime/trace.ts';
import type { Counts, TickContext, TickResult } from '../../shared/tick/tick-context.ts';
import { BeadBoardStandIn } from './beadboard.ts';
import { NEWEST, type Generation } from './bd-schema.ts';
import { problemsOf } from './event-schema.ts';
import { createDatabase, dropDatabase, HOST } from './database.ts';
import { programSettings } from './function.ts';
import { dropUser, makeUser } from './rights.ts';
import { SinkStandIn } from './sink.ts';
import { Tracker } from './tracker.ts';
import { sharedDoltPort } from './shared-dolt.ts';

/**
 * What a test of a tick needs: a database of its own on the shared Dolt server, with a user that
 * has the rights of docs/grants.sql, a BeadBoard and a sink, and the ticks to run against them in
 * this process. Everything else is real.
 */
export class Scene {
  readonly settings: DatabaseSettings;
  readonly tracker: Tracker;
  readonly board: BeadBoardStandIn;
  readonly sink: SinkStandIn;
  readonly database: BeadsDatabase;
  /** Every line the ticks logged, parsed. */
  readonly logged: Record<string, unknown>[] = [];

  private constructor(
    settings: DatabaseSettings,
    tracker: Tracker,
    board: BeadBoardStandIn,
    sink: SinkStandIn,
  ) {
    this.settings = settings;
    this.tracker = tracker;
    this.board = board;
    this.sink = sink;
    this.database = new BeadsDatabase(settings, 'agent');
  }

  static async open(generation: Generation = NEWEST): Promise<Scene> {
    const database = `t_${randomBytes(5).toString('hex')}`;
    await createDatabase(sharedDoltPort(), database, generation);
    return await Scene.around(database);
  }

  /**
   * @param database one that is there already, for example made by a real bd.
   * @param port of the server it is on; the shared one by default.
   */
  static async around(database: string, port = sharedDoltPort()): Promise<Scene> {
    const tracker = await Tracker.open(port, database);
    const user = await makeUser(port, database);
    const settings = { host: HOST, port, ...user, database, tls: false };
    const board = await BeadBoardStandIn.start((id) => tracker.find(id), 10);
    return new Scene(settings, tracker, board, await SinkStandIn.start());
  }

  /**
   * The environment of a program that works on this scene.
   * @param port of a proxy before the server.
   */
  environment(port = this.settings.port) {
    return programSettings({ ...this.settings, port }, this.board.url, this.sink.url);
  }

  /** One dispatch tick with the default settings, or with some replaced. */
  async dispatch(replaced: Partial<DispatchParts> = {}): Promise<DispatchCounts> {
    const parts: DispatchParts = {
      database: this.database,
      beadboard: new BeadBoard(this.board.url, 30_000),
      agentService: undefined,
      policy: DEFAULT_POLICY,
      skipReport: new SkipReport(),
      tickTimeoutMs: 100_000,
      ...replaced,
    };
    return await this.#tick('dispatch', (context) => dispatchTick(parts, context));
  }

  /** One reap tick with the default settings, or with some replaced. */
  async reap(replaced: Partial<ReapParts> = {}): Promise<ReapCounts> {
    const parts: ReapParts = {
      database: this.database,
      agentService: undefined,
      reapAfterMinutes: 30,
      ...replaced,
    };
    return await this.#tick('reap', (context) => reapTick(parts, context));
  }

  /** Hands out beads as a tick has them; what is recorded stays in the outbox. */
  async use<T>(work: (beads: Beads) => Promise<T>): Promise<T> {
    return await this.database.use(this.#toCloudEvent('dispatch', traceOf(undefined)), work);
  }

  /**
   * @throws when a transition left something uncommitted, which would lock people out of bd, or
   *   sent an event that is not as docs/events says.
   */
  async close(): Promise<void> {
    const dirty = await this.tracker.dirtyTables();
    await this.tracker.close();
    await this.board.stop();
    await this.sink.stop();
    await dropUser(this.settings.port, this.settings.database);
    await dropDatabase(this.settings.port, this.settings.database);
    const ours = dirty.filter((table) => table === 'issues' || table === 'events');
    if (ours.length > 0) throw new Error(`left uncommitted: ${ours.join(', ')}`);
    const problems = this.sink.events.flatMap(problemsOf);
    if (problems.length > 0) throw new Error(`events: ${problems.join('; ')}`);
  }

  #toCloudEvent(name: string, traceparent: string) {
    const project = `/beads/${this.settings.database}`;
    return toCloudEventFrom({ project, function: name, traceparent, extensions: {} });
  }

  async #tick<C extends Counts>(
    name: string,
    run: (context: TickContext) => Promise<TickResult<C>>,
  ): Promise<C> {
    const lines = { write: (line: string) => this.logged.push(JSON.parse(line)) };
    const log = pino({ level: 'debug' }, lines);
    const traceparent = traceOf(undefined);
    const toCloudEvent = this.#toCloudEvent(name, traceparent);
    const sink = new Sink(this.sink.url);
    const relay = new Relay({ sink, openOutbox: () => this.database.openOutbox(), log });
    try {
      const faults = new BeadFaults(log);
      const isStopping = () => false;
      const { counts } = await run({ log, relay, faults, toCloudEvent, traceparent, isStopping });
      return counts;
    } finally {
      await relay.finish();
    }
  }
}

export const DEFAULT_POLICY: DispatchParts['policy'] = {
  retry: { maxAttempts: 5, backOff: { baseMs: 120_000, maxMs: 1_800_000 } },
  maxDispatchesPerTick: 10,
  maxInFlight: undefined,
};
