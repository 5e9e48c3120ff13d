import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { skippedIn } from './world/log-lines.ts';
import { BeadsDatabase, type Beads } from '../shared/beads/beads.ts';
import type { ToCloudEvent } from '../shared/events/to-cloud-event.ts';
import { claim } from '../shared/beads/write/transitions.ts';
import { expectAudited } from './world/audit.ts';
import { GENERATIONS } from './world/bd-schema.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';

/** Answers everything but what confirms a claim. */
class BlinkingDatabase extends BeadsDatabase {
  override async use<T>(
    toCloudEvent: ToCloudEvent,
    work: (beads: Beads) => Promise<T>,
  ): Promise<T> {
    return await super.use(toCloudEvent, async (beads) => {
      beads.confirmClaim = async () => await Promise.reject(new Error('the database blinked'));
      return await work(beads);
    });
  }
}

describe.each(GENERATIONS)('a dispatch tick on schema %i', (generation) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await Scene.open(generation);
  });
  afterEach(async () => {
    await scene.close();
  });

  it('a tick claims a bead, dispatches it to BeadBoard and notes both', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });

    expect(await scene.dispatch()).toMatchObject({ eligible: 1, dispatched: 1 });

    const bead = await scene.tracker.show('code-a1');
    const jobId = scene.board.jobs[0]?.jobId;
    expect(bead.status).toBe('in_progress');
    // The record of the job may come in the next second.
    expect(bead.started_at).not.toBeNull();
    expect(String(bead.started_at) <= bead.updated_at).toBe(true);
    expect(bead.notes.split('\n')).toEqual([
      expect.stringMatching(/^auto-dispatcher claimed at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      `dispatched: job=${jobId}`,
    ]);
    expect(scene.board.posts).toEqual(['code-a1']);
    expect(scene.sink.typesOf('code-a1')).toEqual([
      'dispatch.claimed.v1',
      'dispatch.dispatched.v1',
    ]);
    const committer = 'beads-dispatcher';
    const withTrailers = (subject: string): unknown =>
      expect.stringMatching(
        new RegExp(`^${subject}\\n\\nEvent-Id: [0-9a-f-]{36}\\nTrace-Id: [0-9a-f]{32}$`),
      );
    expect(await scene.tracker.log(3)).toEqual([
      { message: withTrailers('dispatch: note job code-a1'), committer },
      { message: withTrailers('dispatch: claim code-a1'), committer },
      expect.objectContaining({ message: 'bd: create code-a1' }),
    ]);
  });

  it('a tick takes the most urgent bead first, then the one that has waited longest', async () => {
    await scene.tracker.create('code-late', { assignee: 'agent', priority: 1 });
    await scene.tracker.create('code-old', { assignee: 'agent', priority: 1 });
    await scene.tracker.create('code-urgent', { assignee: 'agent', priority: 0 });
    await scene.tracker.age('code-old', 5);

    await scene.dispatch();

    expect(scene.board.posts).toEqual(['code-urgent', 'code-old', 'code-late']);
  });

  it('a tick takes only ready beads assigned to the agent, and logs why it skips others', async () => {
    const { tracker } = scene;
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    await tracker.create('code-ok', { assignee: 'agent' });
    await tracker.create('code-own', { assignee: 'person' });
    await tracker.create('code-free');
    await tracker.create('code-done', { assignee: 'agent', status: 'closed' });
    const left = {
      'code-blank': { fields: { acceptance_criteria: ' \n\t ' }, reason: 'no acceptance criteria' },
      'code-pinned': { fields: { pinned: 1 }, reason: 'pinned' },
      'code-gate': { fields: { issue_type: 'gate' }, reason: 'its type is gate' },
      'code-tpl': { fields: { is_template: 1 }, reason: 'template' },
      'code-eph': { fields: { ephemeral: 1 }, reason: 'ephemeral' },
      'code-later': { fields: { defer_until: `${tomorrow} 00:00:00` }, reason: 'deferred until' },
      'code-child': { fields: {}, reason: 'parent is deferred' },
      'code-waits': { fields: {}, reason: 'an open bead blocks it' },
      'code-bad': { fields: { priority: 99 }, reason: 'cannot be read' },
    };
    for (const [id, { fields }] of Object.entries(left)) {
      await tracker.create(id, { assignee: 'agent', ...fields });
    }
    await tracker.depend('code-child', 'code-later', 'parent-child');
    await tracker.depend('code-waits', 'code-own', 'blocks');

    await scene.dispatch();

    expect(scene.board.posts).toEqual(['code-ok']);
    const logged = new Map(skippedIn(scene.logged).map((entry) => [entry.id, entry.message]));
    for (const [id, { reason }] of Object.entries(left)) {
      expect(logged.get(id), id).toContain(reason);
      expect((await tracker.show(id)).notes, id).toBe('');
    }
  });

  it('a tick does nothing when no bead is ready', async () => {
    await scene.tracker.create('code-own', { assignee: 'person' });
    const before = await scene.tracker.log();

    expect(await scene.dispatch()).toMatchObject({ eligible: 0, dispatched: 0 });

    expect(scene.board.statusCalls).toBe(0);
    expect(scene.sink.events).toEqual([]);
    expect(await scene.tracker.log()).toEqual(before);
  });

  it('a tick leaves every bead open while BeadBoard is busy', async () => {
    scene.board.capacity = 0;
    await scene.tracker.create('code-a1', { assignee: 'agent' });

    expect(await scene.dispatch()).toMatchObject({ eligible: 1, dispatched: 0 });

    expect(await scene.tracker.show('code-a1')).toMatchObject({ status: 'open', notes: '' });
    expect(scene.board.posts).toEqual([]);
    expect(scene.sink.events).toEqual([]);
  });

  it('a tick stops when BeadBoard becomes busy, and a later tick continues when it is free again', async () => {
    scene.board.capacity = 2;
    for (const id of ['code-1', 'code-2', 'code-3']) {
      await scene.tracker.create(id, { assignee: 'agent' });
    }

    expect(await scene.dispatch()).toMatchObject({ dispatched: 2 });
    expect(await scene.dispatch()).toMatchObject({ dispatched: 0 });
    scene.board.finish(scene.board.jobs[0]?.jobId ?? '');
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });

    expect(scene.board.posts).toEqual(['code-1', 'code-2', 'code-3']);
  });

  it('a tick takes no more beads than its limits allow', async () => {
    for (const id of ['code-1', 'code-2', 'code-3', 'code-4']) {
      await scene.tracker.create(id, { assignee: 'agent' });
    }

    await scene.dispatch({ policy: { ...DEFAULT_POLICY, maxDispatchesPerTick: 1 } });
    expect(scene.board.posts).toEqual(['code-1']);
    await scene.dispatch({ policy: { ...DEFAULT_POLICY, maxInFlight: 3 } });
    expect(scene.board.posts).toEqual(['code-1', 'code-2', 'code-3']);
    await scene.dispatch({ tickTimeoutMs: -1 });
    expect(scene.board.posts).toHaveLength(3);
  });

  it('a tick gives a refused bead back with the answer and a back-off, and continues with the next', async () => {
    await scene.tracker.create('code-bad', { assignee: 'agent', priority: 0 });
    await scene.tracker.create('code-good', { assignee: 'agent' });
    scene.board.onPost = (id) =>
      id === 'code-bad' ? { status: 500, json: { error: 'not\r\nconfigured\u0007' } } : undefined;

    expect(await scene.dispatch()).toMatchObject({ failed: 1, dispatched: 1 });

    const bead = await scene.tracker.show('code-bad');
    expect(bead.status).toBe('open');
    expect(bead.notes.split('\n').at(-1)).toBe('dispatch failed HTTP 500: "not configured"');
    expect(scene.sink.typesOf('code-bad')).toEqual(['dispatch.claimed.v1', 'dispatch.failed.v1']);

    expect(await scene.dispatch()).toMatchObject({ eligible: 0, skipped: 1 });
    // Also when somebody removes what we keep in its metadata.
    await scene.tracker.update('code-bad', { metadata: '{}' });
    await scene.tracker.update('code-bad', { title: 'Another' });
    expect(await scene.dispatch()).toMatchObject({ eligible: 0, skipped: 1 });
    await scene.tracker.ageHistory('code-bad', 3);
    expect(await scene.dispatch()).toMatchObject({ eligible: 1, failed: 1 });
    expect(scene.sink.events.at(-1)?.data).toMatchObject({ attempt: 2, httpStatus: 500 });
  });

  it('a bead is blocked after its last attempt, and its attempts start again when a person reopens it', async () => {
    const policy = { ...DEFAULT_POLICY, retry: { ...DEFAULT_POLICY.retry, maxAttempts: 2 } };
    scene.board.onPost = () => ({ status: 400, json: { error: 'Bead code-a1 not found.' } });
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    await scene.tracker.ageHistory('code-a1', 120);

    await scene.dispatch({ policy });
    await scene.tracker.ageHistory('code-a1', 60);
    await scene.dispatch({ policy });

    const bead = await scene.tracker.show('code-a1');
    expect(bead.status).toBe('blocked');
    expect(bead.notes.split('\n').slice(-2)).toEqual([
      'dispatch failed HTTP 400: "Bead code-a1 not found."',
      'dispatch given up after 2 attempts',
    ]);
    expect(scene.sink.typesOf('code-a1')).toEqual([
      'dispatch.claimed.v1',
      'dispatch.failed.v1',
      'dispatch.claimed.v1',
      'dispatch.failed.v1',
      'dispatch.blocked.v1',
    ]);

    scene.board.onPost = undefined;
    await scene.tracker.update('code-a1', { status: 'open' });
    expect(await scene.dispatch({ policy })).toMatchObject({ dispatched: 1 });
    expect(scene.sink.events.at(-1)?.data).toMatchObject({ attempt: 1 });
  });

  it('a lost answer keeps the claim and is never posted again', async () => {
    scene.board.onPost = () => 'hangup';
    await scene.tracker.create('code-a1', { assignee: 'agent' });

    expect(await scene.dispatch()).toMatchObject({ unconfirmed: 1 });
    expect(await scene.dispatch()).toMatchObject({ eligible: 0 });

    const bead = await scene.tracker.show('code-a1');
    expect(bead.status).toBe('in_progress');
    expect(bead.notes.split('\n').at(-1)).toMatch(/^dispatch outcome unknown: ./);
    expect(scene.board.posts).toEqual(['code-a1']);
    expect(scene.sink.typesOf()).toEqual(['dispatch.claimed.v1', 'dispatch.unconfirmed.v1']);
  });

  it('a tick ends after two dispatch failures in a row', async () => {
    scene.board.onPost = () => ({ status: 502, json: { error: 'Invalid token' } });
    for (const id of ['code-1', 'code-2', 'code-3']) {
      await scene.tracker.create(id, { assignee: 'agent' });
    }

    expect(await scene.dispatch()).toMatchObject({ eligible: 3, failed: 2 });

    expect(scene.board.posts).toEqual(['code-1', 'code-2']);
    expect((await scene.tracker.show('code-3')).status).toBe('open');
  });

  it('a tick fails and claims nothing when BeadBoard does not say whether it is busy', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    for (const reply of ['hangup', { status: 500, text: '' }, { status: 200, json: {} }] as const) {
      scene.board.onStatus = () => reply;
      await expect(scene.dispatch()).rejects.toMatchObject({ code: 'BEADBOARD_UNAVAILABLE' });
    }
    expect(await scene.tracker.show('code-a1')).toMatchObject({ status: 'open', notes: '' });
  });

  it('a tick does not undo what a person did while BeadBoard was asked', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    scene.board.onPost = async () => {
      await scene.tracker.closeBead('code-a1', 'done by hand');
      return { status: 409, json: { error: 'Agent is busy' } };
    };

    expect(await scene.dispatch()).toMatchObject({ busy: 1 });

    const bead = await scene.tracker.show('code-a1');
    expect(bead.status).toBe('closed');
    expect(bead.notes).toContain('dispatch failed HTTP 409: "Agent is busy"');
  });

  it('a tick leaves a bead to the person who took it over during the POST', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    scene.board.onPost = async () => {
      await scene.tracker.update('code-a1', { status: 'in_progress', assignee: 'someone' });
      return { status: 500, json: { error: 'not configured' } };
    };

    await scene.dispatch();

    const bead = await scene.tracker.show('code-a1');
    expect(bead).toMatchObject({ status: 'in_progress', assignee: 'someone' });
    expect(bead.notes).toContain('dispatch failed HTTP 500');
    expect(scene.sink.events.at(-1)?.data).toMatchObject({ nextAttemptAt: null });
  });

  it('a tick does not claim a bead that changed after the snapshot, even in the same second', async () => {
    const changes = ["defer_until = '2099-01-01'", 'pinned = 1', "acceptance_criteria = ''"];
    if (generation >= 46) changes.push('is_blocked = 1');
    for (const [index, change] of changes.entries()) {
      const id = `code-a${index}`;
      await scene.tracker.create(id, { assignee: 'agent' });
      await scene.use(async (beads) => {
        const looked = (await beads.readSnapshot()).open.find(({ bead }) => bead.id === id);
        if (looked === undefined) throw new Error('it is not open');
        await scene.tracker.sql(
          `UPDATE issues SET ${change}, updated_at = updated_at WHERE id = '${id}'`,
        );
        await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'bd: update')");
        expect(await beads.transition(claim(looked.bead, 1)), change).toMatchObject({
          done: false,
        });
      });
    }
  });

  it('a tick does not post a bead that was reassigned in the same second as the claim', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    await scene.use(async (beads) => {
      const [candidate] = (await beads.readSnapshot()).open;
      if (candidate === undefined) throw new Error('nothing is open');
      const wanted = claim(candidate.bead, 1);
      expect(await beads.transition(wanted)).toMatchObject({ done: true });
      const held = { bead: candidate.bead, token: wanted.token, attempt: 1 };
      // What is read back is what is there now, and not at some moment since the claim.
      expect(await beads.confirmClaim(held)).toBe(undefined);
      await scene.tracker.sql("UPDATE issues SET assignee = 'someone' WHERE id = 'code-a1'");
      await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'bd: update')");
      expect(await beads.confirmClaim(held)).toBe(
        'it was assigned to someone while it was being claimed',
      );
    });
  });

  it('a busy answer does not count as a failure of the bead', async () => {
    const policy = { ...DEFAULT_POLICY, retry: { ...DEFAULT_POLICY.retry, maxAttempts: 2 } };
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const answers = [
      { status: 409, json: { error: 'Agent is busy' } },
      { status: 502, json: { error: 'Queue full' } },
      { status: 409, json: { error: 'Agent is busy' } },
    ];
    for (const answer of answers) {
      scene.board.onPost = () => answer;
      expect(await scene.dispatch({ policy })).toMatchObject({ eligible: 1, busy: 1 });
      expect(await scene.dispatch({ policy })).toMatchObject({ eligible: 0, skipped: 1 });
      await scene.tracker.ageHistory('code-a1', 60);
    }
    scene.board.onPost = undefined;
    expect(await scene.dispatch({ policy })).toMatchObject({ dispatched: 1 });
    expect(scene.sink.events.at(-1)?.data).toMatchObject({ attempt: 1 });
  });

  it('the breaker opens when dispatches of many beads keep failing, then lets one bead through', async () => {
    const policy = {
      ...DEFAULT_POLICY,
      retry: { maxAttempts: 99, backOff: { baseMs: 1, maxMs: 1 } },
    };
    for (const id of ['code-1', 'code-2', 'code-3', 'code-4']) {
      await scene.tracker.create(id, { assignee: 'agent' });
      await scene.tracker.age(id, 10);
    }
    scene.board.onPost = () => ({ status: 500, json: { error: 'not configured' } });
    let posts: number;
    do {
      posts = scene.board.posts.length;
      await scene.dispatch({ policy });
      for (const { id } of await scene.tracker.list()) await scene.tracker.ageHistory(id, 1);
      expect(posts).toBeLessThan(20);
    } while (scene.board.posts.length > posts);

    expect(await scene.dispatch({ policy })).toMatchObject({ skipped: 4 });
    expect(skippedIn(scene.logged).at(-1)?.message).toMatch(
      /the breaker is open until .*: the last \d+ dispatches failed/,
    );

    scene.board.onPost = undefined;
    for (const bead of await scene.tracker.list()) await scene.tracker.ageHistory(bead.id, 60);
    expect(await scene.dispatch({ policy })).toMatchObject({ eligible: 1, dispatched: 4 });
  });

  it('a tick leaves a bead whose metadata has another value in place of the claim marker', async () => {
    for (const [id, metadata] of Object.entries({
      'code-array': '[]',
      'code-text': '"mine"',
      'code-taken': '{"beads_auto_dispatch": "mine"}',
    })) {
      await scene.tracker.create(id, { assignee: 'agent', metadata });
    }
    await scene.tracker.create('code-without', { assignee: 'agent', metadata: null });
    await scene.tracker.create('code-null', { assignee: 'agent', metadata: 'null' });
    expect(await scene.dispatch()).toMatchObject({ eligible: 2, skipped: 3, dispatched: 2 });
    expect(scene.board.posts.toSorted()).toEqual(['code-null', 'code-without']);
  });

  it('a claim that cannot be confirmed is withdrawn and counts for nothing', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const retry = { ...DEFAULT_POLICY.retry, maxAttempts: 1 };
    const policy = { ...DEFAULT_POLICY, retry };
    const database = new BlinkingDatabase(scene.settings, 'agent');
    expect(await scene.dispatch({ database, policy })).toMatchObject({ claimLost: 1, failed: 0 });

    const { status, notes } = await scene.tracker.show('code-a1');
    expect(status, 'although that was its last attempt').toBe('open');
    expect(notes.split('\n').at(-1)).toBe('dispatch withdrawn: the database blinked');
    expect(scene.sink.typesOf('code-a1')).toEqual(['dispatch.claimed.v1', 'reap.released.v1']);
    await scene.use(async (beads) => {
      const { open, misses } = await beads.readSnapshot();
      expect(open[0]?.failures).toMatchObject({ count: 0, backOffCount: 0 });
      expect(misses.count, 'nothing for the breaker').toBe(0);
    });
    expect(await scene.dispatch({ policy })).toMatchObject({ dispatched: 1 });
    await expectAudited(scene);
  });

  it('both jobs are noted when a person reopens a bead and another tick claims it during its POST', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    scene.board.onPost = async () => {
      scene.board.onPost = undefined;
      await scene.tracker.retrying(
        async () => await scene.tracker.update('code-a1', { status: 'open' }),
      );
      expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });
      return undefined;
    };
    expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });
    const [second = '', first = ''] = scene.board.jobs.map(({ jobId }) => jobId);
    const { notes, metadata } = await scene.tracker.show('code-a1');
    expect(notes).toContain(
      `dispatched: job=${second}\ndispatched: job=${first} by an earlier claim`,
    );
    expect(metadata, 'the marker is that of the claim that holds').toContain(`:${second}"`);
    expect(
      scene.sink.typesOf('code-a1').filter((type) => type.includes('dispatched')),
    ).toHaveLength(2);
    await expectAudited(scene);
  });

  it('one trace runs from the tick through BeadBoard to the events', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });

    await scene.dispatch();

    const seen = scene.board.jobs[0]?.traceparent;
    expect(seen).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(scene.sink.events.map((event) => event['traceparent'])).toEqual([seen, seen]);
  });
});
