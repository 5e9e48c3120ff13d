import { spawnSync } from 'node:child_process';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { Scene } from './world/scene.ts';
import { startWatcher, type ServedProcess } from './world/served.ts';
import { problemsInView } from './world/view-schema.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.log('watcher-server: the metrics are not linted, there is no promtool');

describe('the watcher serves', () => {
  let scene: Scene;
  let watcher: ServedProcess | undefined;
  let url: string;
  beforeEach(async () => {
    scene = await Scene.open();
  });
  afterEach(async () => {
    await watcher?.stop();
    await scene.close();
  });

  async function start(settings: Record<string, string> = {}): Promise<void> {
    watcher = await startWatcher(scene, settings);
    ({ url } = watcher);
  }
  const text = async (path: string) => await (await fetch(url + path)).text();
  /** An answer of the API, which must be as its schema in docs/views says. */
  const json = async (path: string): Promise<unknown> => {
    const answer: unknown = await (await fetch(url + path)).json();
    expect(problemsInView(path.includes('/beads/code') ? 'bead' : 'state', answer)).toEqual([]);
    return answer;
  };

  it('the state and each bead as kn beads shows them, with a user that only reads', async () => {
    const { tracker } = scene;
    await tracker.create('code-run', { assignee: 'agent' });
    await scene.dispatch();
    await tracker.create('code-blank', { assignee: 'agent', acceptance_criteria: '' });
    await start({ K_SINK: '' });
    expect(await json('/api/v1/state')).toMatchObject({
      status: { counts: { inProgress: 1, skipped: 1, eligible: 0 }, outbox: { events: 0 } },
      beads: [
        { id: 'code-run', state: 'in-progress' },
        { id: 'code-blank', state: 'skipped', why: 'no-acceptance-criteria' },
      ],
      transitions: { claimed: 1, dispatched: 1, failed: 0 },
    });
    expect(await json('/api/v1/beads/code-blank')).toMatchObject({
      why: { dispatchable: false, reasons: [{ code: 'no-acceptance-criteria' }] },
      history: { lines: [{ what: 'created' }] },
    });
    expect((await fetch(`${url}/api/v1/beads/code-none`)).status).toBe(404);
    expect((await fetch(`${url}/api/v1/beads/%`)).status).toBe(400);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    expect([await text('/healthz'), await text('/readyz')]).toEqual(['ok', 'ok']);
  });

  it('metrics that equal the history, whatever process wrote it', async () => {
    const { tracker, board } = scene;
    for (const id of ['code-a', 'code-b', 'code-c'])
      await tracker.create(id, { assignee: 'agent' });
    board.onPost = (id) =>
      id === 'code-b'
        ? { status: 400, json: { error: 'no' } }
        : id === 'code-c'
          ? 'hangup'
          : undefined;
    await scene.dispatch();
    await tracker.age('code-a', 45);
    await scene.reap();
    await start({ K_SINK: '' });
    const lines = (await text('/metrics')).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'beads_dispatch_transitions_total{transition="claimed"} 3',
        'beads_dispatch_transitions_total{transition="dispatched"} 1',
        'beads_dispatch_transitions_total{transition="failed"} 1',
        'beads_dispatch_transitions_total{transition="unconfirmed"} 1',
        'beads_dispatch_transitions_total{transition="reaped"} 1',
        'beads_dispatch_beads{state="back-off"} 1',
        'beads_dispatch_beads{state="blocked"} 1',
        'beads_dispatch_skipped_beads{reason="back-off"} 1',
        'beads_dispatch_in_flight 1',
        'beads_dispatch_breaker_open 0',
        'beads_dispatch_paused 0',
      ]),
    );
    if (hasPromtool) {
      const checked = spawnSync('promtool', ['check', 'metrics'], { input: lines.join('\n') });
      expect([checked.status, String(checked.stderr)]).toEqual([0, '']);
    }
  });

  it('how long beads waited and agents worked, from all of history, also after a new start', async () => {
    const { tracker } = scene;
    await tracker.create('code-a', { assignee: 'agent' });
    await tracker.ageHistory('code-a', 10);
    await scene.dispatch();
    await tracker.ageHistory('code-a', 40);
    await tracker.closeBead('code-a', 'done');
    await tracker.ageHistory('code-a', 1);
    const figures = async () =>
      (await text('/metrics'))
        .split('\n')
        .filter((line) => /_seconds_(count|bucket.*le="(300|900|1800|3600)")/.test(line));
    await start({ K_SINK: '' });
    const first = await figures();
    expect(first).toEqual([
      'beads_dispatch_pickup_seconds_bucket{le="300"} 0',
      'beads_dispatch_pickup_seconds_bucket{le="900"} 1',
      'beads_dispatch_pickup_seconds_bucket{le="1800"} 1',
      'beads_dispatch_pickup_seconds_bucket{le="3600"} 1',
      'beads_dispatch_pickup_seconds_count 1',
      'beads_dispatch_run_seconds_bucket{le="300"} 0',
      'beads_dispatch_run_seconds_bucket{le="1800"} 0',
      'beads_dispatch_run_seconds_bucket{le="3600"} 1',
      'beads_dispatch_run_seconds_count 1',
    ]);
    expect(await figures(), 'a second scrape counts nothing twice').toEqual(first);
    await watcher?.stop();
    await start({ K_SINK: '' });
    expect(await figures()).toEqual(first);
  });

  it('a page under a path that runs one script, loads nothing from elsewhere, and has no text of a bead', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent', title: '<script>alert(1)</script>' });
    await start({ K_SINK: '', BASE_PATH: '/beads' });
    const answer = await fetch(`${url}/beads/`);
    const page = await answer.text();
    expect(page.length).toBeLessThan(100_000);
    const policy = answer.headers.get('content-security-policy') ?? '';
    const [, nonce = 'none'] = /script-src 'nonce-([^']+)'/.exec(policy) ?? [];
    expect(policy).toContain("default-src 'none'");
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).toContain(`<script nonce="${nonce}">`);
    expect(page).not.toContain('alert(1)');
    expect(page).not.toMatch(/(?:src|href)=/);
    expect((await fetch(`${url}/`)).status).toBe(404);
    const state = z
      .object({ beads: z.array(z.object({ title: z.string() })) })
      .parse(await json('/beads/api/v1/state'));
    expect(state.beads[0]?.title).toBe('<script>alert(1)</script>');
  });

  it('a stream that tells of a change', async () => {
    await start();
    const answer = await fetch(`${url}/api/v1/events`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    await scene.tracker.create('code-a', { assignee: 'agent', acceptance_criteria: '' });
    let seen = '';
    while (!seen.includes('event: changed')) seen += (await reader?.read())?.value ?? '';
    await reader?.cancel();
  });
});
