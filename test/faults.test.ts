import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BeadBoard } from '../shared/targets/beadboard/beadboard.ts';
import { BeadsDatabase } from '../shared/beads/beads.ts';
import { NEWEST } from './world/bd-schema.ts';
import { createDatabase } from './world/database.ts';
import { DatabaseProxy } from './world/database-proxy.ts';
import { DoltServer } from './world/dolt.ts';
import { FunctionProcess } from './world/function.ts';
import { HttpStandIn, type Reply } from './world/http-stand-in.ts';
import { Scene } from './world/scene.ts';
import { Tracker } from './world/tracker.ts';

/** Parts that stall, restart, break off or talk nonsense while a tick runs. */
describe('a database', () => {
  let scene: Scene;
  let proxy: DatabaseProxy;
  let database: BeadsDatabase;
  beforeEach(async () => {
    scene = await Scene.open();
    proxy = await DatabaseProxy.start(scene.settings.port);
    database = new BeadsDatabase({ ...scene.settings, port: proxy.port }, 'agent');
    await scene.tracker.create('code-a1', { assignee: 'agent' });
  });
  afterEach(async () => {
    await proxy.stop();
    await scene.close();
  });

  const expectDispatchedOnce = async () => {
    const { status, notes } = await scene.tracker.show('code-a1');
    expect(status).toBe('in_progress');
    expect(notes.match(/claimed/g)).toHaveLength(1);
    expect(notes.match(/dispatched: job=/g)).toHaveLength(1);
    expect(scene.board.posts).toEqual(['code-a1']);
    expect(scene.sink.typesOf()).toEqual(['dispatch.claimed.v1', 'dispatch.dispatched.v1']);
  };

  it.each(['DOLT_COMMIT', 'UPDATE issues', 'START TRANSACTION'])(
    'a tick whose connection breaks at the answer to every first %s retries and changes nothing twice',
    async (word) => {
      const seen = new Set<string>();
      proxy.onHeld = () => proxy.breakConnections();
      proxy.onStatement = (sql) => {
        const kind = `${scene.board.posts.length}:${word}`;
        if (!sql.includes(word) || seen.has(kind)) return 'through';
        seen.add(kind);
        return 'hold-answer';
      };

      expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1 });

      expect(seen.size).toBe(2);
      await expectDispatchedOnce();
    },
  );

  it('a tick loses nothing when its idle connections are dropped during a long POST', async () => {
    scene.board.onPost = () => {
      proxy.breakConnections();
      return undefined;
    };
    expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1 });
    await expectDispatchedOnce();
  });

  it('a claim is withdrawn without a POST when the connection breaks while it is read back', async () => {
    proxy.onHeld = () => proxy.breakConnections();
    // The first is read to claim the bead.
    let reads = 0;
    proxy.onStatement = (sql) => {
      if (/SELECT issues\.\*/.test(sql)) reads += 1;
      return reads === 2 && sql.includes('issues.*') ? 'hold-answer' : 'through';
    };

    expect(await scene.dispatch({ database })).toMatchObject({ claimLost: 1 });

    const { status, notes } = await scene.tracker.show('code-a1');
    expect(status).toBe('open');
    expect(notes.split('\n').at(-1)).toMatch(/^dispatch withdrawn: database .* does not answer/);
    expect(scene.board.posts).toEqual([]);
  });

  it('a tick ends with an error when the database stalls at every write', async () => {
    proxy.onStatement = (sql) => (sql.includes('UPDATE issues') ? 'hold-statement' : 'through');

    await expect(scene.dispatch({ database })).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
    });

    expect(await scene.tracker.show('code-a1')).toMatchObject({ status: 'open', notes: '' });
  });

  it('a tick reconnects and retries when the database goes silent in the middle of a claim', async () => {
    let isSilent = false;
    proxy.onStatement = (sql) => {
      if (isSilent || !sql.includes('UPDATE issues')) return 'through';
      isSilent = true;
      return 'hold-statement';
    };
    expect(await scene.dispatch({ database })).toMatchObject({ dispatched: 1 });
    await expectDispatchedOnce();
  });
});

describe('a Dolt server', () => {
  it('a Dolt restart between the POST and the record of the job loses nothing', async () => {
    const dolt = await DoltServer.start();
    try {
      await createDatabase(dolt.port, 'code', NEWEST);
      const scene = await Scene.around('code', dolt.port);
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      let back: Promise<void> | undefined;
      scene.board.onPost = async () => {
        await dolt.stop('SIGKILL');
        back = pause(1_000).then(() => dolt.restart());
        return { status: 200, json: { job_id: '3f2a9c0d1e4b' } };
      };

      expect(await scene.dispatch()).toMatchObject({ dispatched: 1 });

      await back;
      const after = await Tracker.open(dolt.port, 'code');
      expect((await after.show('code-a1')).notes).toContain('dispatched: job=3f2a9c0d1e4b');
      // What the relay could not read while the server was away goes with the next tick.
      await scene.reap();
      expect(scene.sink.typesOf()).toEqual(['dispatch.claimed.v1', 'dispatch.dispatched.v1']);
      await after.close();
      await Promise.all([scene.board.stop(), scene.sink.stop()]);
    } finally {
      await dolt.remove();
    }
  });
});

describe('a BeadBoard', () => {
  const cases: Record<string, Reply> = {
    'that answers garbage': { status: 200, text: '\u0000<<not json' },
    'that names no job': { status: 200, json: { ok: true } },
    'that sends a huge body': { status: 200, text: 'x'.repeat(5_000_000) },
    'that never answers': 'silence',
    'that hangs up': 'hangup',
  };
  it.each(Object.entries(cases))(
    'a BeadBoard %s gets one POST, and the claim is kept',
    async (_, reply) => {
      const scene = await Scene.open();
      const board = await HttpStandIn.start(({ method }) =>
        method === 'GET' ? { status: 200, json: { busy: false } } : reply,
      );
      try {
        await scene.tracker.create('code-a1', { assignee: 'agent' });
        const beadboard = new BeadBoard(board.url, 500);

        expect(await scene.dispatch({ beadboard })).toMatchObject({ unconfirmed: 1 });
        expect(await scene.dispatch({ beadboard })).toMatchObject({ eligible: 0 });

        const { status, notes } = await scene.tracker.show('code-a1');
        expect(status).toBe('in_progress');
        expect(notes.split('\n')).toHaveLength(2);
        expect(notes.length).toBeLessThan(700);
      } finally {
        await board.stop();
        await scene.close();
      }
    },
  );
});

describe('a function that is told to end', () => {
  it('a function that gets SIGTERM right after its answer exits', async () => {
    const scene = await Scene.open();
    try {
      // A signal that met the moment in which the tick ends was lost once in 25 times.
      for (let round = 0; round < 12; round += 1) {
        const ending = await FunctionProcess.start('reap', scene.environment());
        expect(await ending.tick()).toBe(204);
        await ending.stop('SIGTERM');
      }
    } finally {
      await scene.close();
    }
  });

  it('a function that gets SIGTERM finishes its tick, takes no new bead and exits', async () => {
    const scene = await Scene.open();
    try {
      for (const id of ['code-a1', 'code-b2'])
        await scene.tracker.create(id, { assignee: 'agent' });
      const ending = await FunctionProcess.start('dispatch', scene.environment());
      let ended: Promise<void> | undefined;
      scene.board.onPost = () => {
        ended = ending.stop('SIGTERM');
        return undefined;
      };

      expect(await ending.tick()).toBe(204);
      await ended;

      expect((await scene.tracker.show('code-a1')).notes).toContain('dispatched: job=');
      expect((await scene.tracker.show('code-b2')).status).toBe('open');
      expect(scene.sink.typesOf()).toEqual(['dispatch.claimed.v1', 'dispatch.dispatched.v1']);
    } finally {
      await scene.close();
    }
  });
});
