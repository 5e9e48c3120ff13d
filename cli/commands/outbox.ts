import { createInterface } from 'node:readline/promises';

import type { Command } from 'commander';

import { waitingEventOf, type WaitingEvent } from '../../shared/views/waiting-event.ts';
import { withDatabase } from '../database.ts';
import { age } from '../duration.ts';
import {
  localTime,
  print,
  printRows,
  withOutput,
  type Column,
  type OutputOptions,
} from '../output.ts';

const COLUMNS: readonly Column<WaitingEvent>[] = [
  { title: 'SUBJECT', of: ({ subject }) => subject },
  { title: 'TYPE', of: ({ type }) => type.replace('io.beads.', '') },
  { title: 'TRIES', of: ({ tries }) => String(tries) },
  {
    title: 'RETRY',
    of: ({ retryAt }) => (retryAt === null ? '-' : localTime(retryAt)),
  },
  { title: 'PROBLEM', of: ({ problem }) => short(problem ?? '-') },
  { title: 'KEY', of: ({ key }) => key, isWide: true },
  { title: 'WORDS', of: ({ problem }) => problem ?? '-', isWide: true },
  { title: 'AGE', of: ({ ageSeconds }) => age(ageSeconds) },
];

/** So that the table fits a terminal; `-o wide` has all of it. */
const PROBLEM_CHARACTERS = 20;

const short = (text: string) =>
  text.length > PROBLEM_CHARACTERS ? `${text.slice(0, PROBLEM_CHARACTERS - 1)}…` : text;

export function addOutbox(program: Command): void {
  const outbox = withOutput(program.command('outbox'))
    .description('The events that wait for the sink.')
    .action(async (options: OutputOptions) => {
      const rows = (await withDatabase(async ({ inspector }) => await inspector.outbox())).map(
        waitingEventOf,
      );
      if (rows.length === 0 && options.output === undefined) print('The outbox is empty.');
      else printRows(rows, COLUMNS, options);
    });
  outbox
    .command('drop')
    .description('Removes one event that will never be sent. It is lost then.')
    .argument('<key>', 'as kn beads outbox -o wide prints it')
    .option('--yes', 'without a question')
    .option('--dry-run', 'only say what would be done')
    .action(async (key: string, { yes, dryRun }: { yes?: boolean; dryRun?: boolean }) => {
      await withDatabase(async ({ inspector }) => {
        if (!(await inspector.outbox()).some((entry) => entry.key === key)) {
          throw new Error(`there is no event ${key} in the outbox`);
        }
        if (dryRun === true) {
          print(`${key} would be dropped (dry run)`);
        } else if (yes === true || (await confirms(`Drop ${key} for good? [y/N] `))) {
          await inspector.drop(key);
          print(`${key} dropped`);
        }
      });
    });
}

async function confirms(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(question);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
