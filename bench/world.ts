import { randomBytes } from 'node:crypto';

import { BdWorkspace, findBd, type BdBinary } from '../test/world/bd.ts';
import { NEWEST } from '../test/world/bd-schema.ts';
import { BeadBoardStandIn } from '../test/world/beadboard.ts';
import { createDatabase, HOST } from '../test/world/database.ts';
import { DoltServer } from '../test/world/dolt.ts';
import { FunctionProcess, programSettings, type FunctionName } from '../test/world/function.ts';
import { makeUser } from '../test/world/rights.ts';
import { SinkStandIn } from '../test/world/sink.ts';
import { Tracker } from '../test/world/tracker.ts';

/** One database on a real Dolt server, with stand-ins for BeadBoard and the broker. */
export interface Place {
  database: string;
  tracker: Tracker;
  board: BeadBoardStandIn;
  sink: SinkStandIn;
  /** Where a bd works on this database. */
  workspace: BdWorkspace | undefined;
  /** The environment of a function that works here. */
  variables: Readonly<Record<string, string>>;
}

/** More jobs than any measurement starts: the agent service is never what is waited for. */
const CAPACITY = 1_000_000;

/** What is measured on: one Dolt server for all, and as many places on it as are asked for. */
export class BenchWorld {
  readonly dolt: DoltServer;
  /** The bd on PATH or in `BD`, which the shell script takes. */
  readonly bd: BdBinary | undefined;
  readonly #places: Place[] = [];
  readonly #functions: FunctionProcess[] = [];

  private constructor(dolt: DoltServer, bd: BdBinary | undefined) {
    this.dolt = dolt;
    this.bd = bd;
  }

  static async start(): Promise<BenchWorld> {
    const [bd] = await findBd();
    return new BenchWorld(await DoltServer.start(), bd);
  }

  /** @param bd makes the database; without one it is made as the newest schema we know has it. */
  async place(bd?: BdBinary): Promise<Place> {
    const { port } = this.dolt;
    const database = `bench_${randomBytes(4).toString('hex')}`;
    const workspace = bd && (await BdWorkspace.init(bd, port, database));
    if (workspace === undefined) await createDatabase(port, database, NEWEST);
    const { user, password } = await makeUser(port, database);
    const tracker = await Tracker.open(port, database);
    const boardsTracker = await Tracker.open(port, database);
    const board = await BeadBoardStandIn.start((id) => boardsTracker.find(id), CAPACITY);
    const sink = await SinkStandIn.start();
    const where = { host: HOST, port, user, password, database };
    const variables = programSettings(where, board.url, sink.url);
    const place = { database, tracker, board, sink, workspace, variables };
    this.#places.push(place);
    return place;
  }

  /** A built function that works on a place, ended with this world. */
  async start(
    name: FunctionName,
    place: Place,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<FunctionProcess> {
    const started = await FunctionProcess.start(name, { ...place.variables, ...settings });
    this.#functions.push(started);
    return started;
  }

  async stop(): Promise<void> {
    for (const each of this.#functions) await each.stop('SIGKILL');
    for (const { board, sink, tracker, workspace } of this.#places) {
      await tracker.close();
      await Promise.all([board.stop(), sink.stop()]);
      await workspace?.remove();
    }
    await this.dolt.remove();
  }
}
