import { AgentService } from '../../shared/agent-service/agent-service.ts';
import { BeadsDatabase } from '../../shared/beads/beads.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { Settings } from '../../shared/settings/settings.ts';
import { TickRunner } from '../../shared/tick/tick-runner.ts';
import { reapTick } from './tick.ts';

/** @returns the reaper of a process, which runs a tick whenever it is asked to. */
export function reaper(settings: Settings, log: Logger): TickRunner {
  const database = new BeadsDatabase(settings.database, settings.AGENT_ASSIGNEE, log);
  const parts = {
    database,
    agentService: AgentService.of(settings, log),
    reapAfterMinutes: settings.REAP_AFTER_MINUTES,
  };
  return new TickRunner('reap', settings, database, log, (context) => reapTick(parts, context));
}
