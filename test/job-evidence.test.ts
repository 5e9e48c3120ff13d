import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { AgentService } from '../shared/agent-service/agent-service.ts';
import { AgentServiceStandIn } from './world/agent-service.ts';
import { Scene } from './world/scene.ts';

/** What the agent service says of a job, and what is kept of which job it is. */
describe('the job of a bead', () => {
  let scene: Scene;
  let service: AgentServiceStandIn;
  let agentService: AgentService;
  beforeEach(async () => {
    scene = await Scene.open();
    service = await AgentServiceStandIn.start();
    agentService = new AgentService(service.url, service.token, pino({ level: 'silent' }));
  });
  afterEach(async () => {
    await service.stop();
    await scene.close();
  });

  /** @returns the id of its job. */
  async function dispatched(id: string): Promise<string> {
    await scene.tracker.create(id, { assignee: 'agent' });
    await scene.dispatch();
    return scene.board.jobs.find(({ beadId }) => beadId === id)?.jobId ?? '';
  }

  it('the job of a bead stays known when an agent quotes our notes or somebody replaces them', async () => {
    service.jobs.set(await dispatched('code-a'), 'running');
    service.jobs.set(await dispatched('code-b'), 'running');
    const quoted = 'I see:\nauto-dispatcher claimed at 2026-01-01T00:00:00Z\ndispatched: job=other';
    await scene.tracker.note('code-a', quoted);
    await scene.tracker.update('code-b', { notes: '' });
    for (const id of ['code-a', 'code-b']) await scene.tracker.age(id, 45);
    expect(await scene.reap({ agentService })).toMatchObject({ blocked: 0, skipped: 2 });
  });

  it('a job that an agent noted stays known when a note quotes a claim within a line', async () => {
    scene.board.onPost = () => 'hangup';
    await dispatched('code-a');
    await scene.tracker.note('code-a', 'claimed by agent 3f2a9c0d1e4b');
    await scene.tracker.note(
      'code-a',
      'It says "auto-dispatcher claimed at 2026-01-01T00:00:00Z".',
    );
    service.jobs.set('3f2a9c0d1e4b', 'running');
    await scene.tracker.age('code-a', 45);
    expect(await scene.reap({ agentService })).toMatchObject({ blocked: 0, skipped: 1 });
  });

  it('a running job keeps a reopened bead from getting a second agent, and the next bead is dispatched', async () => {
    const job = await dispatched('code-a');
    service.jobs.set(job, 'running');
    await scene.tracker.update('code-a', { status: 'open' });
    await scene.tracker.create('code-b', { assignee: 'agent', priority: 3 });
    expect(await scene.dispatch({ agentService })).toMatchObject({ dispatched: 1, skipped: 1 });
    expect(scene.board.posts).toEqual(['code-a', 'code-b']);

    service.jobs.set(job, 'completed');
    expect(await scene.dispatch({ agentService })).toMatchObject({ dispatched: 1, skipped: 0 });
    expect(scene.board.posts).toEqual(['code-a', 'code-b', 'code-a']);
  });

  it('the note of a block says that the agent service could not be asked about the job', async () => {
    const job = await dispatched('code-a');
    await scene.tracker.age('code-a', 45);
    await service.stop();
    expect(await scene.reap({ agentService })).toMatchObject({ blocked: 1 });
    expect((await scene.tracker.show('code-a')).notes).toContain(
      `— blocking: job ${job} could not be asked about`,
    );
    service = await AgentServiceStandIn.start();
  });

  it('a wrong agent service token fails the reap tick only after all its work is done', async () => {
    await dispatched('code-a');
    await scene.tracker.age('code-a', 45);
    const wrong = new AgentService(service.url, 'wrong', pino({ level: 'silent' }));
    await expect(scene.reap({ agentService: wrong })).rejects.toMatchObject({
      code: 'AGENT_SERVICE_DENIED',
    });
    expect((await scene.tracker.show('code-a')).status).toBe('blocked');
  });

  it('the reaper asks about all jobs concurrently', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        await scene.tracker.retrying(
          async () => await scene.tracker.create(`code-${n}`, { assignee: 'agent' }),
        );
        return n;
      }),
    );
    await scene.dispatch();
    for (const n of jobs) await scene.tracker.age(`code-${n}`, 45);
    const all = Promise.withResolvers<void>();
    let asked = 0;
    const slow: Pick<AgentService, 'jobState'> = {
      jobState: async () => {
        asked += 1;
        if (asked === jobs.length) all.resolve();
        await all.promise;
        return 'running';
      },
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reaper only asks for states
    expect(await scene.reap({ agentService: slow as AgentService })).toMatchObject({ blocked: 0 });
  });
});
