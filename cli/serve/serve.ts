import { Cron } from 'croner';

import { dispatcher } from '../../functions/dispatch/dispatcher.ts';
import { reaper } from '../../functions/reap/reaper.ts';
import { createLog, type Logger } from '../../shared/runtime/log.ts';
import type { DispatchSettings } from '../../shared/settings/settings.ts';
import { traceOf } from '../../shared/runtime/trace.ts';
import type { TickRunner } from '../../shared/tick/tick-runner.ts';
import { Watcher } from '../../sources/watch/watcher.ts';
import { InProcess } from './in-process.ts';
import type { Schedules } from './schedules.ts';

/**
 * Watcher, dispatcher and reaper in one process: for a machine or a cluster without Knative. A
 * change wakes them within a second, and a schedule in any case; two such processes are as safe as
 * two pods. Returns when a signal has ended it; the bead in hand is finished first.
 */
export async function serveAll(settings: DispatchSettings, schedules: Schedules): Promise<void> {
  const log = (name: string) => createLog(name, settings.log);
  const runners = {
    dispatch: dispatcher(settings, log('dispatch')),
    reap: reaper(settings, log('reap')),
  };
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
  const watcher = new Watcher(settings, new InProcess(runners), log('watch'), stop.signal);
  const crons = [
    schedule(schedules.dispatch, runners.dispatch, log('dispatch')),
    schedule(schedules.reap, runners.reap, log('reap')),
  ];
  await watcher.run();
  for (const cron of crons) cron.stop();
  // A tick that has begun takes no new bead, and ends; then its events go out.
  await Promise.all(Object.values(runners).map(async (runner) => runner.end()));
}

function schedule(pattern: string, runner: TickRunner, log: Logger): Cron {
  return new Cron(pattern, { timezone: 'UTC', unref: true }, () => {
    runner.run(traceOf(undefined), 'schedule').catch(() => {
      // The tick has logged it; the next one comes by itself.
      log.debug('a tick of the schedule failed');
    });
  });
}
