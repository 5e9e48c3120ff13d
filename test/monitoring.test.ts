import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stringify } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { buildOwnOverlay, objectsIn, problemsIn } from './world/manifests.ts';

/** The component monitoring: what the Prometheus operator and promtool say of it. */

const ROOT = join(import.meta.dirname, '..');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.log('monitoring: skipped in part, there is no promtool (prometheus)');

const rule = z.looseObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string(),
  annotations: z.object({ summary: z.string(), runbook_url: z.string() }),
});
const prometheusRule = z.object({
  groups: z.array(z.looseObject({ name: z.string(), rules: z.array(rule) })),
});
const dashboard = z.object({
  panels: z.array(
    z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) }),
  ),
});

const yaml = await buildOwnOverlay({
  resources: ['overlays/event-driven'],
  components: ['monitoring'],
});
const objects = objectsIn(yaml);
const named = (kind: string, name: string) => {
  const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
  return found ?? expect.fail(`there is no ${kind} ${name}`);
};
const rules = prometheusRule.parse(named('PrometheusRule', 'beads-auto-dispatch')['spec']);
const alerts = rules.groups.flatMap((group) => group.rules);
const { 'dashboard.json': dashboardJson } = z
  .object({ 'dashboard.json': z.string() })
  .parse(named('ConfigMap', 'beads-dashboard')['data']);
const { panels } = dashboard.parse(JSON.parse(dashboardJson));

describe('the component monitoring', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-rules-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function promtool(kind: string, file: string, content: object): Promise<string> {
    const path = join(folder, file);
    await writeFile(path, stringify(content));
    return execFileSync('promtool', [...kind.split(' '), path], { cwd: folder }).toString();
  }

  it('has only fields that the Prometheus operator knows, and a Service to look at', () => {
    expect(problemsIn(yaml)).toEqual([]);
    const selector = z
      .object({ selector: z.object({ matchLabels: z.record(z.string(), z.string()) }) })
      .parse(named('ServiceMonitor', 'beads-metrics')['spec']).selector.matchLabels;
    expect(named('Service', 'beads-watch').metadata.labels).toMatchObject(selector);
  });

  it('has at most four alerts, each with a part of the runbook', async () => {
    expect(alerts.length).toBeLessThanOrEqual(4);
    const runbook = await readFile(join(ROOT, 'docs/runbook.md'), 'utf8');
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
      expect(runbook, alert).toContain(`### ${alert}\n`);
    }
  });

  it('uses only metrics that the watcher has', async () => {
    const sources = ['metrics', 'durations'].map((name) =>
      readFile(join(ROOT, `sources/watch/${name}.ts`), 'utf8'),
    );
    const source = (await Promise.all(sources)).join('\n');
    const expressions = [
      ...alerts.map(({ expr }) => expr),
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    const used = expressions.flatMap((expr) => expr.match(/beads_dispatch_\w+/g) ?? []);
    expect(used.length).toBeGreaterThan(10);
    for (const name of new Set(used)) {
      const short = name.replace('beads_dispatch_', '').replace(/_bucket$/, '');
      expect(source, name).toMatch(new RegExp(`['\\x60_}]${short}['\\x60]`));
    }
  });

  it.skipIf(!hasPromtool)('has rules and dashboard expressions that Prometheus takes', async () => {
    expect(await promtool('check rules', 'rules.yaml', rules)).toContain('SUCCESS');
    const recorded = panels.flatMap(({ targets }, index) =>
      targets.map(({ expr }, nth) => ({ record: `panel:${index}:${nth}`, expr })),
    );
    const groups = [{ name: 'dashboard', rules: recorded }];
    expect(await promtool('check rules', 'dashboard.yaml', { groups })).toContain(
      `${recorded.length} rules found`,
    );
  });

  it.skipIf(!hasPromtool)('has alerts that fire when they should, and not before', async () => {
    await promtool('check rules', 'rules.yaml', rules);
    const labels = '{namespace="beads", pod="w"}';
    const none = { exp_alerts: [] };
    const fires = (alertname: string, eval_time: string, severity: string, summary: string) => ({
      alertname,
      eval_time,
      exp_alerts: [
        {
          exp_labels:
            alertname === 'BeadsUnseen' ? { severity } : { severity, namespace: 'beads', pod: 'w' },
          exp_annotations: { summary, runbook_url: `docs/runbook.md#${alertname.toLowerCase()}` },
        },
      ],
    });
    const told = await promtool('test rules', 'test.yaml', {
      rule_files: ['rules.yaml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            { series: `beads_dispatch_oldest_eligible_age_seconds${labels}`, values: '0+60x40' },
            { series: `beads_dispatch_paused${labels}`, values: '0x25 1x20' },
            { series: `beads_dispatch_breaker_open${labels}`, values: '1x40' },
            { series: `beads_dispatch_outbox_oldest_age_seconds${labels}`, values: '1200x40' },
            {
              series: `beads_dispatch_last_snapshot_timestamp_seconds${labels}`,
              values: '0+60x40',
            },
          ],
          alert_rule_test: [
            { alertname: 'BeadsWaitTooLong', eval_time: '20m', ...none },
            fires(
              'BeadsWaitTooLong',
              '21m',
              'warning',
              'A bead could be dispatched and has waited for 21m 0s.',
            ),
            { alertname: 'BeadsWaitTooLong', eval_time: '30m', ...none },
            { alertname: 'BeadsBreakerOpen', eval_time: '29m', ...none },
            fires(
              'BeadsBreakerOpen',
              '30m',
              'warning',
              'Dispatches have kept failing for half an hour.',
            ),
            { alertname: 'BeadsEventsStuck', eval_time: '9m', ...none },
            fires(
              'BeadsEventsStuck',
              '10m',
              'warning',
              'An event has waited for its sink for 20m 0s.',
            ),
            { alertname: 'BeadsUnseen', eval_time: '30m', ...none },
          ],
        },
        {
          interval: '1m',
          input_series: [{ series: 'up', values: '0x20' }],
          alert_rule_test: [
            { alertname: 'BeadsUnseen', eval_time: '9m', ...none },
            fires(
              'BeadsUnseen',
              '11m',
              'critical',
              'The watcher is away or cannot read the database.',
            ),
          ],
        },
      ],
    });
    expect(told).toContain('SUCCESS');
  });
});
