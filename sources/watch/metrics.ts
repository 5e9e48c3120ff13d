import { Counter, Gauge, Registry, type Metric } from 'prom-client';

import { VERSION } from '../../shared/runtime/version.ts';
import { BEAD_STATES } from '../../shared/views/list.ts';
import type { StateView } from './state-view.ts';

const PREFIX = 'beads_dispatch_';

/**
 * The metrics of a state, in the text format of Prometheus. All are derived from the database at the
 * time of the scrape, so that restarts and pods that scale to zero lose nothing.
 */
export class Metrics {
  readonly #others: readonly Metric[];
  /** A bead that is deleted takes its history along, but a counter never falls. */
  readonly #highest = new Map<string, number>();

  /** @param others that are kept elsewhere. */
  constructor(others: readonly Metric[] = []) {
    this.#others = others;
  }

  async of(state: StateView): Promise<string> {
    const transitions = Object.fromEntries(
      Object.entries(state.transitions).map(([name, count]) => {
        const highest = Math.max(count, this.#highest.get(name) ?? 0);
        this.#highest.set(name, highest);
        return [name, highest];
      }),
    );
    return await textOf(state, transitions, this.#others);
  }
}

async function textOf(
  { status, beads }: StateView,
  transitions: Readonly<Record<string, number>>,
  others: readonly Metric[],
): Promise<string> {
  const registry = new Registry();
  for (const metric of others) registry.registerMetric(metric);
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

/** Of what {@link Metrics.of} gives. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
