import { randomBytes } from 'node:crypto';

import { readSchema } from '../../shared/beads/schema/probe.ts';
import { NEWEST } from './bd-schema.ts';
import { Connection } from '../../shared/beads/sql/connection.ts';
import { DatabaseSchemaError } from '../../shared/runtime/errors.ts';
import { AgentStandIn } from './agent.ts';
import { BeadBoardStandIn } from './beadboard.ts';
import { BdWorkspace, findBd } from './bd.ts';
import { createDatabase, HOST } from './database.ts';
import { DoltServer } from './dolt.ts';
import { FunctionProcess, programSettings } from './function.ts';
import { makeUser } from './rights.ts';
import { SinkStandIn } from './sink.ts';
import { Subscribers } from './subscribers.ts';
import { Tracker } from './tracker.ts';

export interface WorldOptions {
  /** Jobs that the agent service runs at once. */
  capacity: number;
  /** Settings of both functions, on top of where everything is. */
  settings: Readonly<Record<string, string>>;
  /** Told of each part that is up. */
  onProgress: (line: string) => void;
}

/**
 * Everything, for demo and dev: a real Dolt server with a bd-shaped database, both built functions
 * as processes, and stand-ins for BeadBoard, its agents and the broker.
 */
export class World {
  readonly dolt: DoltServer;
  readonly database: string;
  readonly workspace: BdWorkspace | undefined;
  readonly tracker: Tracker;
  readonly agent: AgentStandIn;
  readonly board: BeadBoardStandIn;
  readonly sink: SinkStandIn;
  readonly subscribers: Subscribers;
  readonly dispatch: FunctionProcess;
  readonly reap: FunctionProcess;
  /** Where the database is. */
  readonly settings: { port: number; database: string };
  readonly #variables: Readonly<Record<string, string>>;

  private constructor(parts: {
    dolt: DoltServer;
    database: string;
    workspace: BdWorkspace | undefined;
    tracker: Tracker;
    agent: AgentStandIn;
    board: BeadBoardStandIn;
    sink: SinkStandIn;
    subscribers: Subscribers;
    dispatch: FunctionProcess;
    reap: FunctionProcess;
    variables: Readonly<Record<string, string>>;
  }) {
    this.dolt = parts.dolt;
    this.database = parts.database;
    this.workspace = parts.workspace;
    this.tracker = parts.tracker;
    this.agent = parts.agent;
    this.board = parts.board;
    this.sink = parts.sink;
    this.subscribers = parts.subscribers;
    this.dispatch = parts.dispatch;
    this.reap = parts.reap;
    this.settings = { port: parts.dolt.port, database: parts.database };
    this.#variables = parts.variables;
  }

  /** The environment of a program that works here. */
  environment(): Readonly<Record<string, string>> {
    return this.#variables;
  }

  static async start({ capacity, settings, onProgress }: WorldOptions): Promise<World> {
    const dolt = await DoltServer.start();
    try {
      onProgress(`Dolt SQL server on port ${dolt.port}`);
      const database = `code_${randomBytes(3).toString('hex')}`;
      const { workspace, madeBy } = await makeDatabase(dolt.port, database);
      const { user, password } = await makeUser(dolt.port, database);
      onProgress(
        `database ${database}, ${madeBy}; user ${user} with the rights of docs/grants.sql`,
      );

      const tracker = await Tracker.open(dolt.port, database);
      const agentsTracker = await Tracker.open(dolt.port, database);
      const board = await BeadBoardStandIn.start((id) => agentsTracker.find(id), capacity);
      const agent = new AgentStandIn(board, agentsTracker);
      const sink = await SinkStandIn.start();
      onProgress(`stand-in BeadBoard at ${board.url} (${capacity} agents), broker at ${sink.url}`);

      const where = { host: HOST, port: dolt.port, user, password, database };
      const variables = { ...programSettings(where, board.url, sink.url), ...settings };
      const [dispatch, reap] = await Promise.all([
        FunctionProcess.start('dispatch', variables),
        FunctionProcess.start('reap', variables),
      ]);
      onProgress(`functions dispatch at ${dispatch.url} and reap at ${reap.url}`);
      const subscribers = await Subscribers.start(sink);
      onProgress(`subscribers notify at ${subscribers.notify.url}, audit log ${subscribers.file}`);
      return new World({
        dolt,
        database,
        workspace,
        tracker,
        agent,
        board,
        sink,
        subscribers,
        dispatch,
        reap,
        variables,
      });
    } catch (error) {
      await dolt.remove();
      throw error;
    }
  }

  /** Ends every process and removes every file of this world. */
  async stop(): Promise<void> {
    await Promise.all([this.dispatch.stop(), this.reap.stop()]);
    await this.subscribers.stop();
    await this.agent.stop();
    await this.tracker.close();
    await Promise.all([this.board.stop(), this.sink.stop()]);
    await this.workspace?.remove();
    await this.dolt.remove();
  }
}

const SHAPED = `shaped like bd's at migration ${NEWEST}`;

/** By `bd init` when there is a bd whose schema is known, else from DDL of our own. */
async function makeDatabase(port: number, database: string) {
  const [binary] = await findBd();
  if (binary === undefined) {
    await createDatabase(port, database, NEWEST);
    return { workspace: undefined, madeBy: `${SHAPED} (no bd on PATH)` };
  }
  const workspace = await BdWorkspace.init(binary, port, database);
  const settings = { host: HOST, port, user: 'root', password: undefined, database, tls: false };
  const session = await Connection.open(settings);
  try {
    await readSchema(session);
    return { workspace, madeBy: `made by bd init (bd ${binary.version})` };
  } catch (error) {
    if (!(error instanceof DatabaseSchemaError)) throw error;
    await session.query(`DROP DATABASE ${database}`);
    await workspace.remove();
    await createDatabase(port, database, NEWEST);
    const madeBy = `${SHAPED} (bd ${binary.version} on PATH has a newer schema)`;
    return { workspace: undefined, madeBy };
  } finally {
    session.close();
  }
}
