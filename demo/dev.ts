import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';

import { errorMessage } from '../shared/runtime/errors.ts';
import { World } from '../test/world/world.ts';
import { startWatcher } from '../test/world/served.ts';
import { Playground } from './playground/playground.ts';
import { eventLine, messageLine } from './words.ts';

/**
 * `make dev`: the demo's world, kept up to play with; nothing ticks unless asked to. With
 * `--script FILE` it plays the lines of a file, and ends with 1 at the first that goes wrong.
 */

const [flag, script] = process.argv.slice(2);
if (flag !== undefined && (flag !== '--script' || script === undefined)) {
  console.error('usage: dev.ts [--script FILE]');
  process.exit(1);
}
const scenario = script === undefined ? undefined : (await readFile(script, 'utf8')).split('\n');

const print = (text = '') => void process.stdout.write(`${text}\n`);
const world = await World.start({
  capacity: 2,
  settings: { RETRY_BASE_MS: '5000' },
  onProgress: (line) => print(`  ${line}`),
});
// It shows what there is, and wakes nobody.
const watcher = await startWatcher(world, { K_SINK: '' });
const playground = new Playground(world, print);
world.sink.onEvent = (event) => {
  playground.print(`event  ${(event.subject ?? '').padEnd(8)} ${eventLine(event)}`);
};
world.subscribers.ntfy.onMessage = ({ title, message }) => {
  playground.print(messageLine(title));
  for (const line of message.split('\n')) playground.print(`               ${line}`);
};

print();
print(
  styleText('bold', 'Everything is up. Nothing ticks by itself here; try: create, dispatch, list.'),
);
let exitCode = 0;
try {
  if (scenario === undefined) await converse();
  else await play(scenario);
} finally {
  await watcher.stop();
  await world.stop();
}
print('Everything is down.');
process.exitCode = exitCode;

async function play(lines: readonly string[]): Promise<void> {
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    print(`beads> ${line}`);
    try {
      await playground.obey(line);
    } catch (error) {
      print(`line ${index + 1}: ${errorMessage(error)}`);
      exitCode = 1;
      return;
    }
  }
}

async function converse(): Promise<void> {
  help();
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: 'beads> ',
    completer: async (line: string) => playground.complete(line),
  });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => lines.close());
  lines.on('SIGINT', () => lines.close());
  let isOpen = true;
  lines.once('close', () => {
    isOpen = false;
  });
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() === 'quit') break;
    if (line.trim() === 'help') help();
    else await playground.obey(line).catch((error: unknown) => print(`  ${errorMessage(error)}`));
    if (isOpen) lines.prompt();
  }
  lines.close();
}

function help(): void {
  print();
  for (const { usage, help: text } of Object.values(playground.commands))
    print(`  ${usage.padEnd(22)} ${text}`);
  print(`  ${'help'.padEnd(22)} this list; Tab completes, ↑ brings back`);
  print(`  ${'quit'.padEnd(22)} ends everything (so does Ctrl-C)`);
  print();
  print(`The watcher's page: ${watcher.url}`);
  print(`The database:       mysql -h 127.0.0.1 -P ${world.dolt.port} -u root ${world.database}`);
  print(`The audit log:      tail -f ${world.subscribers.file}`);
  if (world.workspace !== undefined)
    print(`bd:                 BEADS_DIR=${world.workspace.beadsDir} bd list`);
  print('A tick as a PingSource sends it, from another terminal:');
  print(`  curl -i -X POST ${world.dispatch.url} \\`);
  print("    -H 'ce-specversion: 1.0' -H 'ce-type: wake' -H 'ce-source: /me' -H 'ce-id: 1'");
  print();
}
