import { createInterface } from 'node:readline';
import { styleText } from 'node:util';

import { errorMessage } from '../shared/runtime/errors.ts';
import type { TrackedBead } from '../test/world/tracker.ts';
import { World } from '../test/world/world.ts';
import { skippedIn, stopped } from '../test/world/log-lines.ts';
import { eventLine, lastNote, messageLine } from './words.ts';

/** `make dev`: the demo's world, kept up to play with; nothing ticks unless asked to. */

type Command = (...words: string[]) => Promise<void> | void;

const print = (text = '') => {
  process.stdout.write(`${text}\n`);
};

const world = await World.start({
  capacity: 2,
  settings: { RETRY_BASE_MS: '5000' },
  onProgress: (line) => {
    print(`  ${line}`);
  },
});
const { tracker, dispatch, reap, agent } = world;
world.sink.onEvent = (event) => {
  print(`  event  ${(event.subject ?? '').padEnd(8)} ${eventLine(event)}`);
};

world.subscribers.ntfy.onMessage = ({ title, message }) => {
  print(`  ${messageLine(title)}`);
  for (const line of message.split('\n')) print(`                 ${line}`);
};

let created = 0;
const commands: Record<string, { usage: string; help: string; run: Command }> = {
  create: {
    usage: 'create <title>',
    help: 'a bead with acceptance criteria, assigned to agent',
    run: async (...words) => {
      created += 1;
      const id = `code-${created}`;
      await tracker.create(id, { title: words.join(' ') || 'A bead', assignee: 'agent' });
      print(`  ${id} is open and assigned to agent`);
    },
  },
  assign: {
    usage: 'assign <bead> [who]',
    help: 'to agent, to a person, or to nobody: takes it back',
    run: async (id = '', who = '') => {
      await tracker.show(id);
      await tracker.assign(id, who);
      print(`  ${beadLine(await tracker.show(id))}`);
    },
  },
  reopen: {
    usage: 'reopen <bead>',
    help: 'open again, with a fresh count of attempts',
    run: async (id = '') => {
      await tracker.show(id);
      await tracker.update(id, { status: 'open' });
      print(`  ${beadLine(await tracker.show(id))}`);
    },
  },
  note: {
    usage: 'note <bead> <text>',
    help: 'progress, as an agent or a person notes it',
    run: async (id = '', ...words) => {
      if (words.length === 0) throw new Error('a note has some text');
      await tracker.note(id, words.join(' '));
      print(`  ${beadLine(await tracker.show(id))}`);
    },
  },
  stall: {
    usage: 'stall <bead>',
    help: 'its agent will stop after the first note',
    run: async (id = '') => {
      await tracker.show(id);
      agent.behaviour.set(id, 'stalls');
      print(`  the agent on ${id} will stop after its first note`);
    },
  },
  age: {
    usage: 'age <bead> <minutes>',
    help: 'pretend that nothing happened to it for so long',
    run: async (id = '', minutes = '45') => {
      if (!/^\d+$/.test(minutes)) throw new Error(`${minutes} is no number of minutes`);
      await tracker.show(id);
      await tracker.age(id, Number(minutes));
      print(`  ${id} looks as if untouched for ${minutes} minutes`);
    },
  },
  dispatch: {
    usage: 'dispatch',
    help: 'one tick of the dispatcher, and why it left what it left',
    run: async () => {
      const seen = dispatch.log.length;
      print(`  HTTP ${await dispatch.tick()}`);
      for (const { id, message } of skippedIn(dispatch.log.slice(seen))) {
        print(`  left   ${id.padEnd(8)} ${message}`);
      }
      for (const { nextBead, message } of stopped(dispatch.log.slice(seen))) {
        print(`  waits  ${nextBead.padEnd(8)} ${message}`);
      }
    },
  },
  reap: {
    usage: 'reap',
    help: 'one tick of the reaper',
    run: async () => {
      print(`  HTTP ${await reap.tick()}`);
    },
  },
  list: {
    usage: 'list',
    help: 'all beads with their last note',
    run: async () => {
      for (const bead of await tracker.list()) print(`  ${beadLine(bead)}`);
    },
  },
  show: {
    usage: 'show <bead>',
    help: 'one bead with all its notes',
    run: async (id = '') => {
      const bead = await tracker.show(id);
      print(`  ${beadLine(bead)}`);
      for (const note of bead.notes.split('\n')) print(`    ${note}`);
    },
  },
  help: { usage: 'help', help: 'this list', run: help },
  quit: { usage: 'quit', help: 'ends everything (so does Ctrl-C)', run: () => lines.close() },
};

function beadLine({ id, status, assignee, title, notes }: TrackedBead): string {
  return `${id.padEnd(8)} ${status.padEnd(11)} ${(assignee ?? '').padEnd(8)} ${title} — ${lastNote(notes)}`;
}

function help(): void {
  print();
  for (const { usage, help: text } of Object.values(commands))
    print(`  ${usage.padEnd(22)} ${text}`);
  print();
  print('From another terminal, a tick as a PingSource sends it:');
  const tick = "-H 'ce-specversion: 1.0' -H 'ce-type: wake' -H 'ce-source: /me' -H 'ce-id: 1'";
  print(`  curl -i -X POST ${dispatch.url} ${tick}`);
  print('and the database, for dolt or any MySQL client (root, no password):');
  print(`  mysql -h 127.0.0.1 -P ${world.dolt.port} -u root ${world.database}`);
  print('the audit stream, as examples/audit-log keeps it:');
  print(`  tail -f ${world.subscribers.file}`);
  if (world.workspace !== undefined) {
    print('and bd:');
    print(`  BEADS_DIR=${world.workspace.beadsDir} bd list`);
  }
  print();
}

print();
print(
  styleText('bold', 'Everything is up. Nothing ticks by itself here; try: create, dispatch, list.'),
);
help();

const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: 'beads> ' });
for (const signal of ['SIGTERM', 'SIGHUP']) process.once(signal, () => lines.close());
lines.on('SIGINT', () => {
  lines.close();
});
let isOpen = true;
lines.once('close', () => {
  isOpen = false;
});
lines.prompt();
for await (const line of lines) {
  await obey(line);
  if (isOpen) lines.prompt();
}
await world.stop();
print('Everything is down.');

async function obey(line: string): Promise<void> {
  const [name = '', ...words] = line.trim().split(/\s+/);
  try {
    if (name !== '') {
      const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
      if (command === undefined) print(`  no such command: ${name} (try help)`);
      else await command.run(...words);
    }
  } catch (error) {
    print(`  ${errorMessage(error)}`);
  }
}
