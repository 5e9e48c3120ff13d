import { policyOf } from '../../shared/rules/policy.ts';
import { toCloudEventFrom } from '../../shared/events/to-cloud-event.ts';
import { Sink } from '../../shared/events/sink.ts';
import { BeadsDatabase } from '../../shared/beads/beads.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { readSettings, settingsOrExit } from '../../shared/runtime/settings.ts';
import { traceOf } from '../../shared/runtime/trace.ts';
import { StateServer } from './server.ts';
import { StateReader } from './state-reader.ts';
import { watch } from './watch.ts';

const settings = settingsOrExit(readSettings);
const log = createLog('watch', settings.log);
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

const { K_SINK, PAUSED } = settings;
const { database: name, host } = settings.database;
const about = { database: name, host, paused: PAUSED };
log.info(about, `watch starts; wake-ups go to ${K_SINK ?? 'nobody yet: K_SINK is not set'}`);
for (const warning of settings.warnings) log.warn(warning);
const newToCloudEvent = () =>
  toCloudEventFrom({
    project: settings.source,
    function: 'watch',
    traceparent: traceOf(undefined),
    extensions: settings.eventExtensions,
  });
const policy = policyOf(settings);
const { AGENT_ASSIGNEE: assignee, PORT: port, BASE_PATH: basePath } = settings;
// One for both, so that the page is served from the snapshot that the watcher has read.
const database = new BeadsDatabase(settings.database, assignee, log);
const server = new StateServer({
  reader: new StateReader({
    database,
    newToCloudEvent,
    policy,
    assignee,
    paused: PAUSED,
  }),
  port,
  basePath,
  log,
});
server.listen();
void run();

async function run(): Promise<void> {
  await watch({
    database,
    // A ContainerSource starts its pod before its SinkBinding is there, which then replaces the pod
    // by one that has a sink.
    sink: PAUSED || K_SINK === undefined ? undefined : new Sink(K_SINK),
    newToCloudEvent,
    policy,
    reapAfterMinutes: settings.REAP_AFTER_MINUTES,
    asksForJobs: settings.AGENT_SERVICE_URL !== undefined,
    log,
    onSnapshot: () => server.tell(),
    signal: stop.signal,
  });
  server.close();
  process.exit(0);
}
