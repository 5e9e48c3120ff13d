import { Sink } from '../../shared/events/sink.ts';
import { createLog } from '../../shared/runtime/log.ts';
import { readSettings, settingsOrExit } from '../../shared/settings/settings.ts';
import { Watcher } from './watcher.ts';

const settings = settingsOrExit(readSettings);
const log = createLog('watch', settings.log);
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

const { K_SINK, PAUSED } = settings;
const { database: name, host } = settings.database;
const about = { database: name, host, paused: PAUSED };
log.info(about, `watch starts; wake-ups go to ${K_SINK ?? 'nobody yet: K_SINK is not set'}`);
for (const warning of settings.warnings) log.warn(warning);

// A ContainerSource starts its pod before its SinkBinding is there, which then replaces the pod by
// one that has a sink.
const sink = K_SINK === undefined ? undefined : new Sink(K_SINK);
void new Watcher(settings, sink, log, stop.signal).run().then(() => process.exit(0));
