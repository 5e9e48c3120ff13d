import { AgentService } from '../../shared/agent-service/agent-service.ts';
import { BeadBoard } from '../../shared/targets/beadboard/beadboard.ts';
import { BeadsDatabase } from '../../shared/beads/beads.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { serve } from '../../shared/runtime/server.ts';
import { readDispatchSettings, settingsOrExit } from '../../shared/runtime/settings.ts';
import { tickFunction } from '../../shared/tick/tick-function.ts';
import { TickRunner } from '../../shared/tick/tick-runner.ts';
import { policyOf } from '../../shared/rules/policy.ts';
import { SkipReport } from './skip-report.ts';
import { dispatchTick } from './tick.ts';

const settings = settingsOrExit(readDispatchSettings);
const log = createLog('dispatch', settings.log);
const database = new BeadsDatabase(settings.database, settings.AGENT_ASSIGNEE, log);
const parts = {
  database,
  beadboard: new BeadBoard(settings.BEADBOARD_URL, settings.DISPATCH_TIMEOUT_MS),
  agentService: AgentService.of(settings, log),
  policy: policyOf(settings),
  skipReport: new SkipReport(),
  tickTimeoutMs: settings.TICK_TIMEOUT_MS,
};

serve(
  'dispatch',
  tickFunction(
    new TickRunner('dispatch', settings, database, log, (context) => dispatchTick(parts, context)),
  ),
  log,
);
