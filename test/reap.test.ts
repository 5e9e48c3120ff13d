import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { EVENT_DATA } from '../shared/events/event-types.ts';
import { AgentService } from '../shared/agent-service/agent-service.ts';
import { reap } from '../shared/beads/write/transitions.ts';
import { AgentServiceStandIn } from './world/agent-service.ts';
import { expectAudited } from './world/audit.ts';
import { GENERATIONS } from './world/bd-schema.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';

describe.each(GENERATIONS)('a reap tick on schema %i', (generation) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(generation);
  });
  afterEach(async () => {
    await scene.close();
  });

  /** A bead that was dispatched, and has not been heard of for some minutes. */
  async function dispatchedAgo(id: string, minutes: number): Promise<string> {
    await scene.tracker.create(id, { assignee: 'agent' });
    await scene.dispatch();
    await scene.tracker.age(id, minutes);
    return scene.board.jobs.at(-1)?.jobId ?? '';
  }

  it('a reap tick blocks a bead without progress and adds a note', async () => {
    await dispatchedAgo('code-stale', 45);
    await dispatchedAgo('code-fresh', 29);
    await dispatchedAgo('code-edge', 30);
    await scene.tracker.create('code-own', { assignee: 'person', status: 'in_progress' });
    await scene.tracker.age('code-own', 500);

    expect(await scene.reap()).toMatchObject({ inProgress: 3, blocked: 1, skipped: 2 });

    const stale = await scene.tracker.show('code-stale');
    expect(stale.status).toBe('blocked');
    expect(stale.notes.split('\n').at(-1)).toBe(
      'reaper: no progress for 45m (threshold 30m) — blocking',
    );
    for (const id of ['code-fresh', 'code-edge', 'code-own']) {
      expect((await scene.tracker.show(id)).status, id).toBe('in_progress');
    }
    expect(scene.sink.typesOf('code-stale').at(-1)).toBe('reap.blocked.v1');
    expect(scene.sink.events.at(-1)).toMatchObject({
      source: `/beads/${scene.settings.database}/reap`,
      partitionkey: 'code-stale',
      data: { ageMinutes: 45, thresholdMinutes: 30 },
    });
  });

  it('a note of the agent counts as progress', async () => {
    await dispatchedAgo('code-a1', 45);
    await scene.tracker.note('code-a1', 'half way there', 'beads-task-runner');

    expect(await scene.reap()).toMatchObject({ blocked: 0 });
  });

  it('the reaper does not block a bead that changed after its snapshot', async () => {
    await dispatchedAgo('code-a1', 45);
    await scene.use(async (beads) => {
      const [bead] = (await beads.readSnapshot()).inProgress;
      if (bead === undefined) throw new Error('nothing in progress');
      await scene.tracker.note('code-a1', 'still at it', 'beads-task-runner');
      const stall = {
        ageMinutes: 45,
        thresholdMinutes: 30,
        jobId: undefined,
        jobState: undefined,
        isUnanswered: false,
      };

      expect(await beads.transition(reap(bead, stall))).toMatchObject({ done: false });
    });
    expect((await scene.tracker.show('code-a1')).status).toBe('in_progress');
  });

  it('the reaper asks the agent service first and leaves a bead with a running job alone', async () => {
    const service = await AgentServiceStandIn.start();
    try {
      const log = pino({ level: 'silent' });
      const agentService = new AgentService(service.url, service.token, log);
      const running = await dispatchedAgo('code-runs', 45);
      const ended = await dispatchedAgo('code-ended', 45);
      await dispatchedAgo('code-lost', 45);
      service.jobs.set(running, 'running').set(ended, 'failed');

      expect(await scene.reap({ agentService })).toMatchObject({ blocked: 2, skipped: 1 });

      expect((await scene.tracker.show('code-runs')).status).toBe('in_progress');
      const states = scene.sink.events
        .filter(({ type }) => type.endsWith('reap.blocked.v1'))
        .map(({ subject, data }) => [subject, EVENT_DATA['reap.blocked.v1'].parse(data).jobState]);
      expect(Object.fromEntries(states)).toEqual({ 'code-ended': 'failed', 'code-lost': 'lost' });

      service.health = { ...service.health, active: 9 };
      for (const id of ['code-1', 'code-2']) await scene.tracker.create(id, { assignee: 'agent' });
      expect(await scene.dispatch({ agentService })).toMatchObject({ eligible: 2, dispatched: 1 });
    } finally {
      await service.stop();
    }
  });

  it('the reaper does not wait half an hour for a job that is known to be gone', async () => {
    const service = await AgentServiceStandIn.start();
    try {
      const agentService = new AgentService(service.url, service.token, pino({ level: 'silent' }));
      const ended = await dispatchedAgo('code-ended', 3);
      await dispatchedAgo('code-lost', 3);
      await dispatchedAgo('code-grace', 1);
      service.jobs.set(ended, 'completed');

      expect(await scene.reap({ agentService })).toMatchObject({ blocked: 2, skipped: 1 });

      expect((await scene.tracker.show('code-grace')).status).toBe('in_progress');
      expect((await scene.tracker.show('code-ended')).notes).toContain(
        `reaper: no progress for 3m (threshold 2m) — blocking: job ${ended} is completed`,
      );
    } finally {
      await service.stop();
    }
  });

  it('the reaper trusts the job id of BeadBoard over the one that the agent noted', async () => {
    const service = await AgentServiceStandIn.start();
    try {
      const agentService = new AgentService(service.url, service.token, pino({ level: 'silent' }));
      service.jobs.set(await dispatchedAgo('code-a1', 0), 'running');
      await scene.tracker.note('code-a1', 'claimed by agent <job_id>', 'beads-task-runner');
      await scene.tracker.note('code-a1', 'claimed by agent 000000000000', 'beads-task-runner');
      await scene.tracker.age('code-a1', 45);

      expect(await scene.reap({ agentService })).toMatchObject({ blocked: 0, skipped: 1 });
    } finally {
      await service.stop();
    }
  });

  it('a job id that only the agent noted counts while it runs, and its absence does not block a bead early', async () => {
    const service = await AgentServiceStandIn.start();
    try {
      const agentService = new AgentService(service.url, service.token, pino({ level: 'silent' }));
      scene.board.onPost = () => 'hangup';
      await dispatchedAgo('code-a1', 0);
      await scene.tracker.note('code-a1', 'claimed by agent 3f2a9c0d1e4b', 'beads-task-runner');
      await scene.tracker.age('code-a1', 20);
      expect(await scene.reap({ agentService })).toMatchObject({ blocked: 0, skipped: 1 });
      await scene.tracker.age('code-a1', 45);
      service.jobs.set('3f2a9c0d1e4b', 'running');
      expect(await scene.reap({ agentService })).toMatchObject({ blocked: 0, skipped: 1 });
      service.jobs.clear();
      expect(await scene.reap({ agentService })).toMatchObject({ blocked: 1 });
    } finally {
      await service.stop();
    }
  });

  it('a dispatch tick claims nothing while a configured agent service does not answer', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const agentService = new AgentService(
      'http://127.0.0.1:1',
      undefined,
      pino({ level: 'silent' }),
    );

    expect(await scene.dispatch({ agentService })).toMatchObject({ eligible: 1, dispatched: 0 });
    expect((await scene.tracker.show('code-a1')).notes).toBe('');
  });

  it('the reaper decides by age when the agent service does not answer', async () => {
    await dispatchedAgo('code-a1', 45);
    const agentService = new AgentService(
      'http://127.0.0.1:1',
      undefined,
      pino({ level: 'silent' }),
    );

    expect(await scene.reap({ agentService })).toMatchObject({ blocked: 1 });
  });

  it('the reaper yields to a reassignment in the same second', async () => {
    await dispatchedAgo('code-a1', 45);
    const rounds = Array.from({ length: 10 }, (_, index) => `person-${index}`);
    for (const person of rounds) {
      await scene.tracker.update('code-a1', { status: 'in_progress', assignee: 'agent' });
      await scene.tracker.age('code-a1', 45);
      await Promise.all([
        scene.reap(),
        scene.tracker.retrying(() => scene.tracker.assign('code-a1', person)),
      ]);
      const { status, assignee, notes } = await scene.tracker.show('code-a1');
      expect(assignee).toBe(person);
      // Blocked first and then reassigned is the person's own doing; never the other way round.
      const [last] = await scene.tracker.sql(
        "SELECT message FROM dolt_log WHERE message REGEXP 'code-a1($|\\n)' LIMIT 1",
      );
      if (status === 'blocked') expect(last?.['message'], notes).toBe('bd: update code-a1');
    }
  });

  it.each([
    ['an array', '[]'],
    ['a text', '"mine"'],
    ['null', 'null'],
  ])('five reapers block a bead once although its metadata is %s', async (_, metadata) => {
    await scene.tracker.create('code-a1', {
      assignee: 'agent',
      status: 'in_progress',
      updated_at: '2026-11-01 10:00:00',
      metadata,
    });
    const counts = await Promise.all(Array.from({ length: 5 }, () => scene.reap()));

    expect(counts.reduce((sum, { blocked }) => sum + blocked, 0)).toBe(1);
    expect(await scene.tracker.eventsBy('beads-reaper', 'code-a1')).toHaveLength(1);
    const { notes } = await scene.tracker.show('code-a1');
    expect(notes.match(/reaper:/g)).toHaveLength(1);
    await expectAudited(scene);
  });

  it('five concurrent reapers block a bead once', async () => {
    await dispatchedAgo('code-a1', 45);

    const counts = await Promise.all(Array.from({ length: 5 }, () => scene.reap()));

    expect(counts.reduce((sum, { blocked }) => sum + blocked, 0)).toBe(1);
    expect(scene.sink.typesOf('code-a1').filter((type) => type === 'reap.blocked.v1')).toHaveLength(
      1,
    );
    const { notes } = await scene.tracker.show('code-a1');
    expect(notes.match(/reaper:/g)).toHaveLength(1);
    await scene.dispatch({ policy: DEFAULT_POLICY });
    expect(scene.board.posts).toEqual(['code-a1']);
  });
});
