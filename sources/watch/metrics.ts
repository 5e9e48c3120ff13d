import { Counter, Gauge, Registry } from 'prom-client';

import { VERSION } from '../../shared/runtime/version.ts';
import { BEAD_STATES } from '../../shared/views/list.ts';
import type { StateView } from './state-reader.ts';

const PREFIX = 'beads_dispatch_';

/**
 * The metrics of one state, in the text format of Prometheus. All are derived from the database at
 * the time of the scrape, so that restarts and pods that scale to zero lose nothing.
 */
export async function metricsOf({ status, beads, transitions }: StateView): Promise<string> {
  const registry = new Registry();
  const gauge = (name: string, help: string, value: number) => {
    new Gauge({ name: PREFIX + name, help, registers: [registry] }).set(value);
  };
  const states = new Gauge({
    name: `${PREFIX}beads`,
    help: 'Beads of the agent that are not closed, by state.',
    labelNames: ['state'],
    registers: [registry],
  });
  for (const state of BEAD_STATES) {
    states.set({ state }, beads.filter((bead) => bead.state === state).length);
  }
  const skipped = new Gauge({
    name: `${PREFIX}skipped_beads`,
    help: 'Open beads of the agent that are not dispatched, by the code of the reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  for (const [reason, count] of Object.entries(status.skippedBy)) skipped.set({ reason }, count);
  const total = new Counter({
    name: `${PREFIX}transitions_total`,
    help: 'Transitions in the history of beads.',
    labelNames: ['transition'],
    registers: [registry],
  });
  for (const [transition, count] of Object.entries(transitions)) total.inc({ transition }, count);
  gauge(
    'oldest_eligible_age_seconds',
    'How long the oldest eligible bead has waited.',
    status.oldestEligibleAgeSeconds,
  );
  gauge('outbox_events', 'Events that wait for the sink.', status.outbox.events);
  gauge(
    'outbox_oldest_age_seconds',
    'How long the oldest event has waited.',
    status.outbox.oldestAgeSeconds,
  );
  gauge('breaker_open', '1 while the breaker is open.', Number(status.breaker.state === 'open'));
  gauge('paused', '1 while PAUSED is set.', Number(status.paused));
  gauge('in_flight', 'Beads in progress.', status.counts.inProgress);
  gauge(
    'last_snapshot_timestamp_seconds',
    'When the beads were last read.',
    Math.floor(Date.parse(status.at) / 1000),
  );
  new Gauge({
    name: `${PREFIX}build_info`,
    help: 'The version that runs.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: VERSION }, 1);
  return await registry.metrics();
}

/** Of what {@link metricsOf} gives. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
