import { findBeadsDir } from '../cli/database.ts';
import { readSettings } from '../shared/settings/settings.ts';
import { AgentStandIn } from '../test/world/agent.ts';
import { BeadBoardStandIn } from '../test/world/beadboard.ts';
import { HOST } from '../test/world/database.ts';
import { Tracker } from '../test/world/tracker.ts';

/**
 * `npm run stand-in`: a BeadBoard to try the functions with, alone: it starts a stand-in for an
 * agent on each bead that it is given, which notes, works for some seconds, and closes the bead.
 * It uses the Dolt server of this machine as root without a password, as BeadBoard does.
 */

const AGENTS = 2;
const DEFAULT_PORT = 8082;

const folder = findBeadsDir();
const { database } = readSettings(
  folder === undefined ? process.env : { ...process.env, BEADS_DIR: folder },
);
if (database.host !== HOST && database.host !== 'localhost') {
  console.error(`the stand-in uses a Dolt server on ${HOST} only, not on ${database.host}`);
  process.exit(1);
}
const tracker = await Tracker.open(database.port, database.database);
const port = Number(process.env['PORT'] ?? DEFAULT_PORT);
const board = await BeadBoardStandIn.start((id) => tracker.find(id), AGENTS, port);
const agent = new AgentStandIn(board, tracker);
console.log(`a stand-in for BeadBoard with ${AGENTS} agents listens at ${board.url}`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void agent.stop().then(() => board.stop());
  });
}
