import { AgentService } from '../../shared/agent-service/agent-service.ts';
import { BeadsDatabase } from '../../shared/beads/beads.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { serve } from '../../shared/runtime/server.ts';
import { readSettings, settingsOrExit } from '../../shared/runtime/settings.ts';
import { tickFunction } from '../../shared/tick/tick-function.ts';
import { TickRunner } from '../../shared/tick/tick-runner.ts';
import { reapTick } from './tick.ts';

const settings = settingsOrExit(readSettings);
const log = createLog('reap', settings.log);
const database = new BeadsDatabase(settings.database, settings.AGENT_ASSIGNEE, log);
const parts = {
  database,
  agentService: AgentService.of(settings, log),
  reapAfterMinutes: settings.REAP_AFTER_MINUTES,
};

serve(
  'reap',
  tickFunction(
    new TickRunner('reap', settings, database, log, (context) => reapTick(parts, context)),
  ),
  log,
);
