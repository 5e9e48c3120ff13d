import { setTimeout as pause } from 'node:timers/promises';

import { busy } from '../../test/world/beadboard.ts';
import { oneOf, type Command } from './command.ts';

/** What can be broken, and mended again: BeadBoard, the broker, agents, and time. */

const BOARD = ['ok', 'busy', '502', 'drop', 'slow', 'down'] as const;
const BROKER = ['up', 'down'] as const;
const AGENT = ['finish', 'stall', 'die'] as const;
/** Long enough to see that a tick waits, and shorter than its patience. */
const SLOW_MS = 10_000;

const BOARD_WORDS: Readonly<Record<(typeof BOARD)[number], string>> = {
  ok: 'BeadBoard takes beads',
  busy: 'BeadBoard says that its agents are busy',
  '502': 'BeadBoard refuses each bead with HTTP 502',
  drop: 'BeadBoard drops the connection instead of an answer',
  slow: `BeadBoard takes ${SLOW_MS / 1_000} s for an answer`,
  down: 'BeadBoard is down',
};

export const PART_COMMANDS: Readonly<Record<string, Command>> = {
  board: {
    usage: 'board <what>',
    help: `BeadBoard: ${BOARD.join(', ')}`,
    completes: [BOARD],
    run: async (playground, word = '') => {
      const mode = oneOf(word, BOARD);
      const { board } = playground.world;
      await (mode === 'down' ? board.pause() : board.resume());
      board.onStatus = mode === 'busy' ? () => ({ status: 200, json: { busy: true } }) : undefined;
      board.onPost = {
        ok: undefined,
        down: undefined,
        busy: () => busy(),
        '502': () => ({ status: 502, json: { error: 'Agent service unreachable' } }),
        drop: () => 'hangup' as const,
        slow: async () => {
          await pause(SLOW_MS);
          return undefined;
        },
      }[mode];
      playground.print(BOARD_WORDS[mode]);
    },
  },
  broker: {
    usage: 'broker <up|down>',
    help: 'events wait in the outbox while it is down',
    completes: [BROKER],
    run: async (playground, word = '') => {
      const isUp = oneOf(word, BROKER) === 'up';
      await (isUp ? playground.world.sink.resume() : playground.world.sink.pause());
      playground.print(
        isUp ? 'the broker takes events; the next tick sends what waits' : 'the broker is down',
      );
    },
  },
  agent: {
    usage: 'agent <what> <bead>',
    help: 'finish: closes it; stall: stops after a note; die: its job ends',
    completes: [AGENT, 'bead'],
    run: async (playground, word = '', id = '') => {
      const { agent, tracker } = playground.world;
      const act = oneOf(word, AGENT);
      await tracker.show(id);
      if (act === 'stall') {
        agent.behaviour.set(id, 'stalls');
        playground.print(`the agent on ${id} stops after its first note`);
      } else if (act === 'finish') {
        await agent.finish(id);
        playground.print(`the agent has closed ${id}`);
      } else {
        agent.die(id);
        playground.print(`the job of ${id} has ended without a word`);
      }
    },
  },
  time: {
    usage: 'time +<minutes>m',
    help: 'so much time passes for all beads, for example time +45m',
    run: async (playground, word = '') => {
      const minutes = /^\+?(\d+)m$/.exec(word)?.[1];
      if (minutes === undefined) throw new Error(`"${word}" is no time; try: time +45m`);
      await playground.world.tracker.passTime(Number(minutes));
      playground.print(`${minutes} minutes have passed`);
    },
  },
};
