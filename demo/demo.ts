import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { styleText } from 'node:util';

import { World } from '../test/world/world.ts';
import { Screen } from './screen.ts';
import { BEADS, createBeads, differences, STALLED } from './story.ts';
import { skippedIn } from '../test/world/log-lines.ts';
import { eventLine, lastNote, messageLine } from './words.ts';

/**
 * `make demo`: a minute of the schedules passes in a second, and the table shows what becomes of
 * each bead.
 */

/** The schedules are every 2 and every 10 minutes. */
const DISPATCH_EVERY_MS = 2_000;
const REAP_EVERY_MS = 10_000;
/** When the stalled bead is made to look as if nothing had happened to it for 45 minutes. */
const STALL_AFTER_MS = 7_000;
const STALL_MINUTES = 45;
/** The story takes about 15 s; without its end by now something is wrong. */
const LIMIT_MS = 50_000;
const REFRESH_MS = 250;
/** As a shell reports what Ctrl-C has ended. */
const INTERRUPTED = 130;

const SAW = [
  'code-a1, b2  claimed once, worked on, closed; b2 waited for a1',
  'code-c3      its agent stalled, so the reaper blocked it and told a person',
  'code-d4, e5  one refusal was tried again; one lost answer was not',
  'code-f6, g7  left alone: no acceptance criteria, and somebody else’s',
];

const screen = new Screen();
screen.print(styleText('bold', 'beads auto-dispatch: a demo'));
screen.print('A bead is an issue of bd; a tick is one run of a function.');
screen.print('Real: Dolt server, functions, notifier, audit log, all HTTP.');
screen.print('Stand-ins: BeadBoard, its agents, the broker, a phone that gets messages.');
screen.print('A minute of the schedules takes a second: dispatch every 2 s, reap every 10 s.');
screen.print();
const ended = new AbortController();
/** Ctrl-C ends it as its own end does: nothing stays behind. */
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait.
    if (isInterrupted) process.exit(INTERRUPTED);
    isInterrupted = true;
    screen.settle();
    screen.print('Ending everything; once more to leave it behind.');
    ended.abort();
  });
}
const world = await World.start({
  capacity: 2,
  settings: { RETRY_BASE_MS: '3000', DISPATCH_TIMEOUT_MS: '5000' },
  onProgress: (line) => {
    if (!isInterrupted) screen.line('start', line);
  },
});
let problems: string[] = [];
let logged = 0;
try {
  problems = isInterrupted ? [] : await play();
  logged = (await readFile(world.subscribers.file, 'utf8')).trimEnd().split('\n').length;
} finally {
  ended.abort();
  await world.stop();
}
if (isInterrupted) process.exit(INTERRUPTED);
summarize(problems, logged);
process.exitCode = problems.length === 0 ? 0 : 1;

async function play(): Promise<string[]> {
  const { sink, subscribers, dispatch, reap } = world;
  sink.onEvent = (event) => {
    screen.line(event.subject ?? '', eventLine(event));
  };
  subscribers.ntfy.onMessage = ({ title }) => {
    screen.line('', messageLine(title));
  };
  await createBeads(world);
  for (const { id, shows } of BEADS) screen.line(id, styleText('dim', shows));
  screen.print();

  const schedules = [
    every(DISPATCH_EVERY_MS, () => dispatch.tick()),
    every(REAP_EVERY_MS, () => reap.tick()),
    stall(),
  ];

  const deadline = performance.now() + LIMIT_MS;
  let open: string[];
  do {
    await pause(REFRESH_MS);
    await refresh();
    open = await differences(world);
  } while (open.length > 0 && performance.now() < deadline && !ended.signal.aborted);
  ended.abort();
  await Promise.all(schedules);
  await refresh();
  return open;
}

/** Ticks at once and then on schedule, as a PingSource would, until the demo ends. */
async function every(intervalMs: number, tick: () => Promise<number>): Promise<void> {
  try {
    while (!ended.signal.aborted) {
      const status = await tick();
      if (status !== 204) screen.print(`a tick answered ${status}`);
      await pause(intervalMs, undefined, { signal: ended.signal });
    }
  } catch (error) {
    ignoreAbort(error);
  }
}

/** Lets time pass for the bead whose agent does nothing any more. */
async function stall(): Promise<void> {
  try {
    await pause(STALL_AFTER_MS, undefined, { signal: ended.signal });
    await world.tracker.age(STALLED, STALL_MINUTES);
    screen.line(STALLED, styleText('dim', `(${STALL_MINUTES} minutes pass without a note)`));
  } catch (error) {
    ignoreAbort(error);
  }
}

function ignoreAbort(error: unknown): void {
  if (!ended.signal.aborted) throw error;
}

function whyOpen(assignee: string | null, reason: string | undefined): string {
  if (assignee !== 'agent') return 'not assigned to agent';
  return reason ?? 'waits for its turn';
}

async function refresh(): Promise<void> {
  const beads = await world.tracker.list();
  const waits = new Map(skippedIn(world.dispatch.log).map(({ id, message }) => [id, message]));
  screen.table(
    [
      { title: 'bead', width: 8 },
      { title: 'P', width: 1 },
      { title: 'assignee', width: 8 },
      { title: 'status', width: 11 },
      { title: 'last note, or why it is skipped', width: 60 },
    ],
    beads.map(({ id, priority, assignee, status, notes }) => [
      id,
      String(priority),
      assignee ?? '',
      status,
      lastNote(notes) || whyOpen(assignee, waits.get(id)),
    ]),
  );
}

function summarize(found: readonly string[], logged: number): void {
  screen.settle();
  const { board, sink, subscribers } = world;
  const accepted = new Set(board.jobs.map(({ beadId }) => beadId)).size;
  screen.print();
  screen.print(
    `${board.posts.length} requests to BeadBoard, ${board.jobs.length} jobs for ${accepted} beads; ${sink.events.length} events, ${logged} in the audit log,`,
  );
  screen.print(`${subscribers.ntfy.messages.length} messages to a person.`);
  for (const line of found) screen.print(styleText('red', `not as expected: ${line}`));
  if (found.length > 0) {
    screen.print(world.dispatch.output);
    screen.print(world.reap.output);
    return;
  }
  screen.print(styleText('green', 'Every bead ended as it should. What you saw:'));
  for (const line of SAW) screen.print(`  ${line}`);
  screen.print('Next: make dev (play with it), README.md (run it), docs/README.md (all pages)');
}
