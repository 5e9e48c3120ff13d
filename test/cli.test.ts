import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';

import { GENERATIONS } from './world/bd-schema.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';
import { problemsInView } from './world/view-schema.ts';

const PROGRAM = join(import.meta.dirname, '../dist/plugins/kn-beads');
const WIDTH = 80;
const run = promisify(execFile);

interface Ran {
  code: number;
  out: string;
  err: string;
}
const failure = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

const nextView = z.object({ dispatch: z.array(z.object({ id: z.string() })) });
const dispatchOf = (view: unknown) => nextView.parse(view).dispatch.map(({ id }) => id);

let scene: Scene;
let folder: string;
/** The program as a person runs it, far from any `.beads`. */
async function beads(...args: string[]): Promise<Ran> {
  return await beadsWith({}, ...args);
}

async function beadsWith(settings: Record<string, string>, ...args: string[]): Promise<Ran> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    BEADS_ACTOR: 'ops',
    KUBECONFIG: join(folder, 'none'),
    ...scene.environment(),
    ...settings,
  };
  try {
    const { stdout, stderr } = await run(process.execPath, [PROGRAM, ...args], {
      env,
      cwd: folder,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = failure.parse(error);
    return { code, out: stdout, err: stderr };
  }
}

/** What a command prints as JSON, which must be as its schema in docs/views says. */
async function json(...args: string[]): Promise<unknown> {
  const { out, err } = await beads(...args, '-o', 'json');
  expect(err).toBe('');
  const printed: unknown = JSON.parse(out);
  expect(problemsInView(args[0] ?? '', printed)).toEqual([]);
  return printed;
}

describe.each(GENERATIONS)('kn beads on schema %i', (generation) => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-cli-'));
    scene = await Scene.open(generation);
  });
  afterEach(async () => {
    await scene.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('status, list, why and next agree with each other and with the tick that follows', async () => {
    const { tracker } = scene;
    await tracker.create('code-ok', { assignee: 'agent', priority: 1 });
    await tracker.create('code-blank', { assignee: 'agent', acceptance_criteria: '' });
    await tracker.create('code-last', { assignee: 'agent', priority: 3 });
    await tracker.create('code-typo', { assignee: 'agnet' });
    await tracker.create('code-theirs', { assignee: 'person' });

    expect(await json('status')).toMatchObject({
      paused: false,
      breaker: { state: 'closed', until: null },
      counts: { eligible: 2, backOff: 0, inProgress: 0, skipped: 1, blocked: 0 },
      outbox: { events: 0, oldestAgeSeconds: 0 },
      nearMisses: [{ assignee: 'agnet', beads: 1, example: 'code-typo' }],
    });
    expect((await beads('status')).code, 'a near miss is worth a look').toBe(2);
    expect(await json('next')).toMatchObject({
      dispatch: [
        { id: 'code-ok', attempt: 1, target: 'beadboard' },
        { id: 'code-last', attempt: 1, target: 'beadboard' },
      ],
      skipped: [{ id: 'code-blank', code: 'no-acceptance-criteria' }],
    });
    expect(await json('list')).toMatchObject([
      { id: 'code-ok', state: 'eligible' },
      { id: 'code-last', state: 'eligible' },
      { id: 'code-blank', state: 'skipped', why: 'no-acceptance-criteria' },
    ]);
    expect(await json('why', 'code-ok')).toMatchObject({ dispatchable: true, reasons: [] });
    expect(await json('why', 'code-blank')).toMatchObject({
      dispatchable: false,
      reasons: [{ code: 'no-acceptance-criteria' }],
    });

    expect(await scene.dispatch()).toMatchObject({ dispatched: 2, skipped: 1 });
    expect(scene.board.posts).toEqual(['code-ok', 'code-last']);
    expect(await json('why', 'code-ok')).toMatchObject({ reasons: [{ code: 'in-progress' }] });
    expect(await json('why', 'code-theirs')).toMatchObject({ reasons: [{ code: 'not-assigned' }] });
    expect(await json('why', 'code-none')).toMatchObject({ reasons: [{ code: 'unknown' }] });
    expect(await json('list', '--state', 'in-progress')).toHaveLength(2);
  });

  it('retry clears a back-off, passes an open breaker only with --now, and is written as by the person', async () => {
    const { tracker, board } = scene;
    await tracker.create('code-a', { assignee: 'agent' });
    board.onPost = () => ({ status: 500, json: { error: 'not configured' } });
    await scene.dispatch();
    board.onPost = undefined;
    expect(await json('why', 'code-a')).toMatchObject({
      reasons: [{ code: 'back-off', until: expect.any(String) }],
      earliest: expect.any(String),
      command: 'kn beads retry code-a',
    });
    expect((await beads('retry', 'code-a', '--dry-run')).out).toContain(
      'would be opened again by ops',
    );
    expect(await json('next')).toMatchObject({ dispatch: [] });

    await tracker.ageHistory('code-a', 0);
    expect(await beads('retry', 'code-a')).toMatchObject({
      code: 0,
      out: 'code-a is open again\n',
    });
    const [event] = await tracker.eventsBy('ops', 'code-a');
    expect(event).toMatchObject({ event_type: 'status_changed', new_value: '{"status":"open"}' });
    expect((await beads('retry', 'code-a')).out).toBe('code-a has no back-off to clear\n');
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });

    const running = await beads('retry', 'code-a');
    expect(running).toMatchObject({ code: 1, out: '' });
    expect(running.err).toBe(
      'Error: bead code-a is in_progress; this takes one that is open or blocked\n',
    );
    expect((await beads('release', 'code-a')).out).toBe('code-a is open again\n');
  });

  it('history tells the story, today counts, and the outbox shows what the sink does not take', async () => {
    const { tracker } = scene;
    scene.sink.onDelivery = ({ type }) => (type.includes('claimed') ? { status: 400 } : undefined);
    await tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    await tracker.closeBead('code-a', 'done');

    const story = z
      .object({
        attempts: z.number(),
        lines: z.array(z.object({ what: z.string(), traceId: z.string().nullable() })),
      })
      .parse(await json('history', 'code-a'));
    expect(story.attempts).toBe(1);
    expect(story.lines.map(({ what }) => what)).toEqual([
      'created',
      'claimed',
      expect.stringMatching(/^dispatched: job=/),
      'closed',
    ]);
    const traces = story.lines.map(({ traceId }) => traceId);
    expect(traces).toEqual([null, expect.stringMatching(/^[0-9a-f]{32}$/), traces[1], null]);
    expect(scene.sink.events.map(({ traceparent }) => String(traceparent).split('-')[1])).toContain(
      traces[1],
    );
    expect((await beads('tail')).out).toMatch(
      /^[\d:]{8} {2}code-a {2}claimed\n[\d:]{8} {2}code-a {2}dispatched: job=\w+\n$/,
    );
    expect(await json('today')).toMatchObject({ counts: { claimed: 1, dispatched: 1 } });
    const entries = z
      .array(
        z.object({ key: z.string(), subject: z.string(), tries: z.number(), problem: z.string() }),
      )
      .parse(await json('outbox'));
    expect(entries).toMatchObject([{ subject: 'code-a', tries: 1, problem: 'HTTP 400' }]);
    expect((await beads('status')).code).toBe(2);
    expect(await json('status')).toMatchObject({ outbox: { isAway: false, problem: 'HTTP 400' } });
    const key = entries[0]?.key ?? '';
    expect((await beads('outbox', 'drop', key, '--dry-run')).out).toContain('dry run');
    expect((await beads('outbox', 'drop', key, '--yes')).code).toBe(0);
    expect((await beads('outbox')).out).toBe('The outbox is empty.\n');
    expect((await beads('wait', 'code-a', '--for', 'closed')).out).toBe('code-a is closed\n');
    const late = await beads('wait', 'code-a', '--for', 'blocked', '--timeout', '1s');
    expect([late.code, late.err]).toEqual([
      1,
      'Error: bead code-a is closed, and not blocked after 1s\n',
    ]);
  });
});

describe('kn beads', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'beads-cli-'));
    scene = await Scene.open();
  });
  afterEach(async () => {
    await scene.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('prints every table within 80 columns, errors on stderr alone, and no colour into a pipe', async () => {
    const { tracker } = scene;
    const title =
      'A title that is a good deal longer than a terminal of eighty columns has room for';
    for (const id of ['code-a', 'code-b']) await tracker.create(id, { assignee: 'agent', title });
    await tracker.create('code-c', { assignee: 'agent', title, acceptance_criteria: '' });
    await scene.dispatch({ policy: { ...DEFAULT_POLICY, maxDispatchesPerTick: 1 } });
    const outputs = await Promise.all(
      [
        ['status'],
        ['list'],
        ['list', '--no-headers'],
        ['next'],
        ['why', 'code-c'],
        ['today'],
        ['outbox'],
      ].map((args) => beads(...args)),
    );
    for (const { out, err } of outputs) {
      expect(err).toBe('');
      expect(out).not.toContain('\u001B');
      for (const line of out.split('\n')) {
        // A title is as long as its owner made it.
        if (!line.includes(title)) expect(line.length, line).toBeLessThanOrEqual(WIDTH);
      }
    }
    expect((await beads('list', '-o', 'name')).out.split('\n').filter(Boolean).toSorted()).toEqual([
      'code-a',
      'code-b',
      'code-c',
    ]);
    expect((await beads('list', '-o', 'yaml')).out).toContain('- id: code-');
    const unknown = await beads('history', 'code-none');
    expect(unknown).toEqual({
      code: 1,
      out: '',
      err: 'Error: bead code-none has no history here\n',
    });
  });

  it('says why the sink is away while it is, and no more when what waited was taken', async () => {
    const { tracker, sink } = scene;
    sink.onDelivery = () => ({ status: 503 });
    await tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    const waiting = { tries: 0, problem: 'HTTP 503', retryAt: null };
    expect(await json('outbox')).toMatchObject([waiting, waiting]);
    expect(await json('status')).toMatchObject({
      outbox: { events: 2, parked: 0, isAway: true, problem: 'HTTP 503' },
      problems: ['the sink is away: HTTP 503'],
    });
    const { code, out } = await beads('status');
    expect([code, /Outbox: [^]*?\)/.exec(out)?.[0]]).toEqual([
      2,
      expect.stringMatching(/2 events.*, the sink is away \(HTTP 503\)$/),
    ]);

    sink.onDelivery = undefined;
    await scene.dispatch();
    await tracker.create('code-b', { assignee: 'agent' });
    scene.sink.onDelivery = ({ type }) => (type.includes('claimed') ? { status: 400 } : undefined);
    await scene.dispatch();
    expect(await json('status')).toMatchObject({ outbox: { isAway: false, problem: 'HTTP 400' } });
  });

  it('status says until when beads back off', async () => {
    const { tracker, board } = scene;
    board.onPost = () => ({ status: 400, json: { error: 'no' } });
    await tracker.create('code-a', { assignee: 'agent' });
    await tracker.create('code-b', { assignee: 'agent' });
    expect(await json('status')).toMatchObject({ backOffUntil: null });
    await scene.dispatch();
    const { backOffUntil } = z
      .object({ backOffUntil: z.object({ first: z.iso.datetime(), last: z.iso.datetime() }) })
      .parse(await json('status'));
    expect(Date.parse(backOffUntil.first)).toBeLessThan(Date.parse(backOffUntil.last));
    expect((await beads('status')).out).toMatch(
      /Back-off: {5}2, ending .* \(in .*\) to .* \(in .*\)/,
    );
  });

  it('lets one bead past an open breaker when a person asks for it', async () => {
    const { tracker, board } = scene;
    board.onPost = () => ({ status: 500, json: { error: 'not configured' } });
    const policy = {
      ...DEFAULT_POLICY,
      retry: { maxAttempts: 9, backOff: { baseMs: 1, maxMs: 1 } },
    };
    const ids = ['code-a', 'code-b', 'code-c'];
    for (const id of ids) await tracker.create(id, { assignee: 'agent' });
    // Each tick ends after two misses; the breaker wants five of three beads, so that each goes first.
    for (const first of [...ids, ...ids]) {
      await tracker.age(first, 60);
      await scene.dispatch({ policy });
      for (const id of ids) await tracker.ageHistory(id, 1);
    }
    expect(await json('status')).toMatchObject({ breaker: { state: 'open' } });
    expect((await beads('status')).out).toContain('kn beads retry ID --now');
    expect((await beads('retry', 'code-c', '--now')).code).toBe(0);
    expect(await json('status')).toMatchObject({ breaker: { state: 'half-open' } });
    // The others follow when it is accepted, as far as their back-off is over.
    const [first] = dispatchOf(await json('next'));
    expect(first).toBe('code-c');
    board.onPost = undefined;
    board.posts.length = 0;
    await scene.dispatch({ policy: { ...policy, maxDispatchesPerTick: 1 } });
    expect(board.posts).toEqual(['code-c']);
  });

  it('says when it cannot read the database, with exit code 1', async () => {
    const { code, out, err } = await beadsWith({ BEADS_DOLT_SERVER_PORT: '1' }, 'status');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^Error: database .* does not answer/);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('completes commands and ids in a real shell', async () => {
    await scene.tracker.create('code-a', { assignee: 'agent' });
    expect((await beads('__complete', 'wh')).out).toBe('why\n');
    expect((await beads('__complete', 'why', 'code')).out).toBe('code-a\n');
    const kubectl = join(PROGRAM, '../kubectl_complete-beads');
    const answer = await run(kubectl, ['why', 'co'], {
      env: { PATH: process.env['PATH'] ?? '', ...scene.environment() },
    });
    expect(answer.stdout).toBe('code-a\n:4\n');
    const { out } = await beads('completion', 'bash');
    const script = `${out}\nCOMP_WORDS=(${PROGRAM} why co); COMP_CWORD=2; _beads_dispatch ${PROGRAM}; echo "\${COMPREPLY[@]}"`;
    const env = { PATH: process.env['PATH'] ?? '', ...scene.environment() };
    expect((await run('bash', ['-c', script], { env })).stdout.trim()).toBe('code-a');
  });
});
