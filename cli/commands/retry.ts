import type { Command } from 'commander';

import { reopen } from '../../shared/beads/write/wishes.ts';
import { actor, theBead, withDatabase, type Context } from '../database.ts';
import { print } from '../output.ts';
import { readWhy } from './why.ts';

interface RetryOptions {
  now?: boolean;
  dryRun?: boolean;
}

/** What a person wants of beads; written as bd would write it for them. */
export function addRetry(program: Command): void {
  program
    .command('retry')
    .description('Clears the back-off or the block of beads, so that they are dispatched again.')
    .argument('<ids...>', 'the beads')
    .option('--now', 'also past an open breaker')
    .option('--dry-run', 'only say what would be done')
    .action(async (ids: string[], options: RetryOptions) => {
      await forEach(
        ids,
        async (context, id) => await change(context, id, ['open', 'blocked'], options),
      );
    });
  program
    .command('release')
    .description('Opens beads again that are in progress, of which you know that nothing runs.')
    .argument('<ids...>', 'the beads')
    .option('--dry-run', 'only say what would be done')
    .action(async (ids: string[], options: RetryOptions) => {
      await forEach(
        ids,
        async (context, id) => await change(context, id, ['in_progress'], options),
      );
    });
}

async function forEach(
  ids: readonly string[],
  work: (context: Context, id: string) => Promise<string>,
): Promise<void> {
  await withDatabase(async (context) => {
    const said: string[] = [];
    for (const id of ids) said.push(await work(context, id));
    for (const line of said) print(line);
  });
}

async function change(
  context: Context,
  id: string,
  from: readonly string[],
  { now = false, dryRun = false }: RetryOptions,
): Promise<string> {
  const { settings, beads, inspector } = context;
  const bead = await theBead(inspector, id);
  if (bead.assignee !== settings.AGENT_ASSIGNEE) {
    throw new Error(
      `bead ${id} belongs to ${bead.assignee || 'nobody'}, not to ${settings.AGENT_ASSIGNEE}`,
    );
  }
  if (!from.includes(bead.status)) {
    if (bead.status === 'open') return `${id} is open already`;
    throw new Error(`bead ${id} is ${bead.status}; this takes one that is ${from.join(' or ')}`);
  }
  const { reasons } = await readWhy(context, id);
  if (bead.status === 'open' && !now && !reasons.some(({ code }) => code === 'back-off')) {
    return `${id} has no back-off to clear`;
  }
  if (dryRun) return `${id} would be opened again by ${actor()} (dry run)`;
  const result = await beads.transition(reopen(bead, actor(), now));
  if (!result.done) throw new Error(`bead ${id} was not changed: ${result.reason}`);
  return `${id} is open again${now ? ', and is tried past an open breaker' : ''}`;
}
