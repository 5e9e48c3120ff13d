import type { Command } from 'commander';

import { whyOf, type WhyView } from '../../shared/views/why.ts';
import { withDatabase, type Context } from '../database.ts';
import {
  bad,
  good,
  inLocalTime,
  localTimeWithGap,
  print,
  printData,
  withOutput,
  type OutputOptions,
} from '../output.ts';

const WIDTH = 78;

export function addWhy(program: Command): void {
  withOutput(program.command('why'))
    .description('Why a bead is dispatched or not: every condition, and the one that decides.')
    .argument('<id>', 'the bead')
    .action(async (id: string, options: OutputOptions) => {
      await withDatabase(
        async (context) => {
          const view = await readWhy(context, id);
          if (!printData(options, view)) printWhy(view, context.unasked);
        },
        { asks: true },
      );
    });
}

export async function readWhy(
  { settings, policy, beads, inspector, surroundings }: Context,
  id: string,
): Promise<WhyView> {
  const snapshot = await beads.readSnapshot();
  const found = await inspector.find(id);
  const changes = await inspector.history(id);
  const { AGENT_ASSIGNEE: sentinel, PAUSED: paused } = settings;
  return whyOf(id, found, snapshot, policy, { sentinel, paused, surroundings, changes });
}

function printWhy(view: WhyView, unasked: readonly string[]): void {
  const { id, title, dispatchable, reasons, conditions, earliest, lastFailure, command } = view;
  const name = title === '' ? id : `${id} "${title}"`;
  print(
    `${name} ${dispatchable ? 'is dispatched by the next tick.' : 'will not be dispatched by the next tick.'}`,
  );
  for (const line of wrap(
    conditions.filter(({ met }) => met).map(({ name: each }) => `${good('✓')} ${each}`),
  )) {
    print(line);
  }
  const width = Math.max(10, ...conditions.map(({ name: each }) => each.length)) + 2;
  const missed = conditions.filter(({ met }) => !met);
  for (const { name: each, message } of missed)
    print(`  ${bad('✗')} ${each.padEnd(width)}${inLocalTime(message ?? '')}`);
  if (missed.length === 0)
    for (const { message } of reasons) print(`  ${bad('✗')} ${inLocalTime(message)}`);
  if (lastFailure !== null) print(`Last try: ${lastFailure}`);
  if (earliest !== null) print(`Earliest: ${localTimeWithGap(earliest, new Date())}`);
  if (command !== null) print(`What helps: ${command}`);
  if (conditions.length > 0) for (const each of unasked) print(`Not asked: ${each}`);
}

/** Puts conditions side by side, as many as fit a line. */
function wrap(parts: readonly string[]): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last === undefined || last.length + part.length + 3 > WIDTH) lines.push(`  ${part}`);
    else lines[lines.length - 1] = `${last}   ${part}`;
  }
  return lines;
}
