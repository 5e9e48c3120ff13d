import { setTimeout as pause } from 'node:timers/promises';

import type { Command } from 'commander';

import type { Inspector } from '../../shared/beads/inspector.ts';
import type { PastChange } from '../../shared/beads/rows/past-change.ts';
import { storyOf, whatIn } from '../../shared/views/story.ts';
import { todayOf } from '../../shared/views/today.ts';
import { withDatabase } from '../database.ts';
import { age, secondsIn } from '../duration.ts';
import {
  localTime,
  print,
  printData,
  printStory,
  withOutput,
  type OutputOptions,
} from '../output.ts';

/** How often `tail -f` reads. */
const FOLLOW_MS = 2_000;

interface SinceOptions extends OutputOptions {
  since: string;
  follow?: boolean;
}

export function addHistory(program: Command): void {
  withOutput(program.command('history'))
    .description('The story of one bead, with times and the gaps between them.')
    .argument('<id>', 'the bead')
    .action(async (id: string, options: OutputOptions) => {
      await withDatabase(async ({ settings, inspector }) => {
        const changes = await inspector.history(id);
        const traces = await inspector.traces(id);
        const view = storyOf(id, changes, settings.AGENT_ASSIGNEE, traces);
        if (view.lines.length === 0) throw new Error(`bead ${id} has no history here`);
        if (printData(options, view)) return;
        const rows = view.lines.map(({ at, gapSeconds, actor, what, traceId }, index) => [
          localTime(at),
          gapSeconds === 0 ? '' : `+${age(gapSeconds)}`,
          actor,
          // One tick makes several lines in a row.
          traceId === null || traceId === view.lines[index - 1]?.traceId
            ? what
            : `${what} (trace ${traceId})`,
        ]);
        printStory(options.headers ? [['TIME', 'GAP', 'ACTOR', 'WHAT'], ...rows] : rows);
        const closed =
          view.seconds === null
            ? 'not closed yet'
            : `closed ${age(view.seconds)} after its assignment`;
        print(`${view.attempts} ${view.attempts === 1 ? 'claim' : 'claims'}, ${closed}`);
      });
    });

  withOutput(program.command('today'))
    .description('What these functions did: counts, and a line for each transition.')
    .option('--since <duration>', 'for example 2h or 7d', '1d')
    .action(async (options: SinceOptions) => {
      await withDatabase(async ({ inspector }) => {
        const changes = await inspector.transitions(secondsIn(options.since));
        const view = todayOf(options.since, changes);
        if (printData(options, view)) return;
        const words = Object.entries(view.counts).map(([kind, count]) => `${count} ${kind}`);
        print(
          words.length === 0
            ? `Nothing since ${options.since}.`
            : `${words.join(', ')} since ${options.since}`,
        );
        printChanges(changes);
      });
    });

  program
    .command('tail')
    .description('The newest transitions of these functions.')
    .option('-f, --follow', 'go on as they come')
    .option('--since <duration>', 'for example 2h or 7d', '1h')
    .action(async ({ follow, since }: SinceOptions) => {
      await withDatabase(async ({ inspector }) => await tail(inspector, since, follow === true));
    });
}

async function tail(inspector: Inspector, since: string, follow: boolean): Promise<void> {
  const seen = new Set<string>();
  for (;;) {
    const fresh = (await inspector.transitions(secondsIn(since))).filter(({ id }) => !seen.has(id));
    printChanges(fresh);
    for (const { id } of fresh) seen.add(id);
    if (!follow) return;
    await pause(FOLLOW_MS);
  }
}

function printChanges(changes: readonly PastChange[]): void {
  if (changes.length > 0) {
    printStory(
      changes.map((each) => [localTime(each.at.toISOString()), each.beadId, whatIn(each)]),
    );
  }
}
