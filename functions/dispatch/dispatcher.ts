import { AgentService } from '../../shared/agent-service/agent-service.ts';
import { BeadsDatabase } from '../../shared/beads/beads.ts';
import { policyOf } from '../../shared/rules/policy.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { DispatchSettings } from '../../shared/settings/settings.ts';
import { BeadBoard } from '../../shared/targets/beadboard/beadboard.ts';
import { TickRunner } from '../../shared/tick/tick-runner.ts';
import { SkipReport } from './skip-report.ts';
import { dispatchTick } from './tick.ts';

/** @returns the dispatcher of a process, which runs a tick whenever it is asked to. */
export function dispatcher(settings: DispatchSettings, log: Logger): TickRunner {
  const database = new BeadsDatabase(settings.database, settings.AGENT_ASSIGNEE, log);
  const parts = {
    database,
    beadboard: new BeadBoard(settings.BEADBOARD_URL, settings.DISPATCH_TIMEOUT_MS),
    agentService: AgentService.of(settings, log),
    policy: policyOf(settings),
    skipReport: new SkipReport(),
    tickTimeoutMs: settings.TICK_TIMEOUT_MS,
  };
  return new TickRunner('dispatch', settings, database, log, (context) =>
    dispatchTick(parts, context),
  );
}
