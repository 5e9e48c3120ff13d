import type { Command } from 'commander';

import { SettingsError } from '../../shared/runtime/errors.ts';
import { problemsOf, statusOf, type StatusView } from '../../shared/views/status.ts';
import { withClusterOptions, type ClusterOptions } from '../cluster/cluster-options.ts';
import { withDatabase } from '../database.ts';
import { age } from '../duration.ts';
import {
  bad,
  good,
  localTimeWithGap,
  print,
  printData,
  printStory,
  withOutput,
  type OutputOptions,
} from '../output.ts';
import { printSwitches } from './switch.ts';

/** Exit code of a state that somebody should look at. */
const DEGRADED = 2;

export function addStatus(program: Command): void {
  withClusterOptions(withOutput(program.command('status')))
    .description(
      'How dispatch stands. Exit code 0: well; 1: cannot be read; 2: somebody should look at it.',
    )
    .action(async (_, command: Command) => {
      const options = command.optsWithGlobals<OutputOptions & ClusterOptions>();
      const database = await printStatus(options).catch((error: unknown) => {
        // Without a database of bd's around, the cluster alone is asked.
        if (error instanceof SettingsError) return error;
        throw error;
      });
      if (options.output !== undefined && !(database instanceof SettingsError)) return;
      try {
        await printSwitches(options);
      } catch (error) {
        if (database instanceof SettingsError) throw error;
        // The database has answered; a cluster is not everybody's.
        print('Metrics:      /metrics on the PORT of beads-dispatch serve, or of the watcher');
      }
    });
}

/**
 * The part of `status` that is about the database.
 * @throws {SettingsError} no database is named.
 */
async function printStatus(options: OutputOptions): Promise<StatusView> {
  const view = await withDatabase(async ({ settings, policy, beads, inspector }) =>
    statusOf({
      snapshot: await beads.readSnapshot(),
      policy,
      assignee: settings.AGENT_ASSIGNEE,
      paused: settings.PAUSED,
      overview: await inspector.overview(),
    }),
  );
  const problems = problemsOf(view);
  if (problems.length > 0) process.exitCode = DEGRADED;
  if (printData(options, { ...view, problems })) return view;
  const now = new Date(view.at);
  const { counts, breaker, outbox } = view;
  const until = breaker.until === null ? '' : ` until ${localTimeWithGap(breaker.until, now)}`;
  const lines: [string, string][] = [
    ['Dispatch', view.paused ? bad('paused (PAUSED is set)') : good('running')],
    ['Breaker', breaker.state === 'closed' ? good('closed') : bad(`${breaker.state}${until}`)],
    [
      'Eligible',
      `${counts.eligible}${counts.eligible === 0 ? '' : `, the oldest for ${age(view.oldestEligibleAgeSeconds)}`}`,
    ],
    ['Back-off', backOffIn(view, now)],
    ['In progress', String(counts.inProgress)],
    ['Skipped', `${counts.skipped}${reasonsIn(view)}`],
    ['Blocked', String(counts.blocked)],
    ['Today', todayIn(view)],
    ['Outbox', outboxIn(outbox, now)],
  ];
  printStory(lines.map(([title, text]) => [`${title}:`, text]));
  for (const { assignee, beads, example } of view.nearMisses) {
    print(
      bad(
        `${beads} open ${beads === 1 ? 'bead belongs' : 'beads belong'} to "${assignee}", for example ${example}; did you mean "${view.assignee}"?`,
      ),
    );
  }
  if (breaker.state === 'open') print('To try one bead at once: kn beads retry ID --now');
  return view;
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`;

function reasonsIn({ skippedBy }: StatusView): string {
  const reasons = Object.entries(skippedBy).filter(([code]) => code !== 'back-off');
  return reasons.length === 0 ? '' : ` (${reasons.map(([code, n]) => `${n} ${code}`).join(', ')})`;
}

function backOffIn({ counts: { backOff }, backOffUntil }: StatusView, now: Date): string {
  if (backOffUntil === null) return String(backOff);
  const first = localTimeWithGap(backOffUntil.first, now);
  return backOff === 1
    ? `1, until ${first}`
    : `${backOff}, ending ${first} to ${localTimeWithGap(backOffUntil.last, now)}`;
}

function todayIn({ today }: StatusView): string {
  const counts = Object.entries(today);
  return counts.length === 0 ? 'nothing' : counts.map(([name, n]) => `${n} ${name}`).join(', ');
}

function outboxIn(
  { events, parked, oldestAgeSeconds, retryAt, isAway, problem }: StatusView['outbox'],
  now: Date,
): string {
  if (events === 0) return 'empty';
  const oldest = `, oldest ${age(oldestAgeSeconds)}`;
  const retry = retryAt === null ? '' : `, retry ${localTimeWithGap(retryAt, now)}`;
  const said = problem === null ? '' : ` (${problem})`;
  const away = isAway ? bad(`, the sink is away${said}`) : '';
  const aside = parked === 0 ? '' : bad(`, ${parked} parked${isAway ? '' : said}${retry}`);
  return `${counted(events, 'event')}${oldest}${away}${aside}`;
}
