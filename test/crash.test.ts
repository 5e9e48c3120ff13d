import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { endsTold, expectAudited } from './world/audit.ts';
import { DatabaseProxy } from './world/database-proxy.ts';
import { FunctionProcess, type FunctionName } from './world/function.ts';
import { DEFAULT_POLICY, Scene } from './world/scene.ts';

/**
 * The functions are killed with SIGKILL at every single step: before each round trip reaches the
 * server, after each was carried out but before its answer arrives, and around each HTTP call. The
 * list of round trips is not written down but recorded from a tick that goes well.
 */
describe('a function that is killed', () => {
  let scene: Scene;
  let proxy: DatabaseProxy;
  beforeEach(async () => {
    scene = await Scene.open();
    scene.board.capacity = Number.POSITIVE_INFINITY;
    proxy = await DatabaseProxy.start(scene.settings.port);
  });
  afterEach(async () => {
    await proxy.stop();
    await scene.close();
  });

  async function start(name: FunctionName): Promise<FunctionProcess> {
    proxy.statements.length = 0;
    return await FunctionProcess.start(name, scene.environment(proxy.port));
  }

  /** Every statement of one tick that goes well. */
  async function record(name: FunctionName): Promise<string[]> {
    const whole = await start(name);
    expect(await whole.tick()).toBe(204);
    await whole.stop();
    return [...proxy.statements];
  }

  /**
   * Lets a fresh process tick and kills it where `arm` says.
   * @returns whether the tick was cut off, or came to its end before it got there.
   */
  async function killIn(name: FunctionName, arm: (kill: () => void) => void): Promise<boolean> {
    const victim = await start(name);
    let isKilled = false;
    arm(() => {
      isKilled = true;
      void victim.stop('SIGKILL');
    });
    const answer = await victim.tick().catch(() => 'cut off');
    expect(answer, 'a tick that was not killed goes well').toBe(isKilled ? 'cut off' : 204);
    await victim.stop('SIGKILL');
    proxy.onStatement = () => 'through';
    scene.board.onPost = undefined;
    scene.board.onStatus = undefined;
    scene.board.onJob = undefined;
    proxy.breakConnections();
    return isKilled;
  }

  /** Kills once at each statement, in both ways. @returns how many kills that were. */
  async function killAtEach(
    name: FunctionName,
    statements: readonly string[],
    scenario: { before: (id: string) => Promise<void>; after: (id: string) => Promise<void> },
  ): Promise<number> {
    let kills = 0;
    for (const passage of ['hold-statement', 'hold-answer'] as const) {
      for (const [index, sql] of statements.entries()) {
        const id = `code-${name}-${passage}-${index + 1}`;
        let isKilled: boolean;
        try {
          await scenario.before(id);
          isKilled = await killIn(name, (kill) => {
            proxy.onHeld = kill;
            proxy.onStatement = (_, number) => (number === index + 1 ? passage : 'through');
          });
          await scenario.after(id);
          // What the dead one left to send goes with the next tick.
          await scene.reap();
          await expectAudited(scene);
          // Its history would open the breaker for those that follow.
          await scene.tracker.remove(id);
        } catch (error) {
          throw new Error(`${passage} of statement ${index + 1}: ${sql}`, { cause: error });
        }
        // The relay works beside the tick and may need a statement less or two.
        kills += isKilled ? 1 : 0;
      }
    }
    expect(kills).toBeGreaterThan(statements.length * 1.5);
    return kills;
  }

  const postsOf = (id: string) => scene.board.posts.filter((posted) => posted === id).length;
  const DIED = 'dispatch outcome unknown: the dispatcher died before it had the answer';

  /** Two more ticks settle everything: posted exactly once, or honestly unknown. */
  async function expectSettled(id: string): Promise<void> {
    await scene.dispatch();
    await scene.dispatch();
    const { status, notes } = await scene.tracker.show(id);
    expect(status).toBe('in_progress');
    const last = notes.split('\n').at(-1) ?? '';
    if (last === DIED) expect(postsOf(id)).toBeLessThanOrEqual(1);
    else {
      expect(last).toMatch(/^dispatched: job=/);
      expect(postsOf(id)).toBe(1);
    }
  }

  it('a dispatcher killed at any statement leaves no bead stranded and none posted twice', async () => {
    await scene.tracker.create('code-recorded', { assignee: 'agent' });
    const statements = await record('dispatch');
    await scene.tracker.remove('code-recorded');
    // Round trips: several statements may share one.
    expect(statements.length).toBeGreaterThan(15);

    const kills = await killAtEach('dispatch', statements, {
      before: (id) => scene.tracker.create(id, { assignee: 'agent' }),
      after: expectSettled,
    });
    console.log(`dispatch: killed ${kills} times, at ${statements.length} statements`);
  }, 300_000);

  it('a dispatcher killed during a call to BeadBoard leaves no bead stranded and none posted twice', async () => {
    const { board, tracker } = scene;
    const arms: Record<string, (kill: () => void) => void> = {
      'when it asks whether BeadBoard is busy': (kill) => {
        board.onStatus = () => {
          kill();
          return 'silence';
        };
      },
      'when BeadBoard has the POST, before a job starts': (kill) => {
        board.onPost = () => {
          kill();
          return 'hangup';
        };
      },
      'when the job has started, before the answer': (kill) => {
        board.onJob = kill;
      },
    };
    for (const [index, [name, arm]] of Object.entries(arms).entries()) {
      const id = `code-http-${index}`;
      await tracker.create(id, { assignee: 'agent' });
      expect(await killIn('dispatch', arm), name).toBe(true);
      await expectSettled(id).catch((error: unknown) => {
        throw new Error(name, { cause: error });
      });
      await expectAudited(scene);
    }
  });

  it('a dispatcher killed while it gives a refused bead back does not post it again before its back-off ends', async () => {
    await scene.tracker.create('code-refused', { assignee: 'agent' });
    scene.board.onPost = () => ({ status: 500, json: { error: 'not configured' } });
    const statements = await record('dispatch');
    scene.board.onPost = undefined;
    await scene.tracker.remove('code-refused');

    const kills = await killAtEach('dispatch', statements, {
      before: async (id) => {
        scene.board.onPost = () => ({ status: 500, json: { error: 'not configured' } });
        await scene.tracker.create(id, { assignee: 'agent' });
      },
      after: async (id) => {
        const already = postsOf(id);
        await scene.dispatch();
        await scene.dispatch();
        const { status, notes } = await scene.tracker.show(id);
        // Refused and resting, or posted now for the first time, or unknown; never twice.
        expect(postsOf(id)).toBeLessThanOrEqual(1);
        if (status === 'open') expect(notes).toContain('dispatch failed HTTP 500');
        else expect(notes.includes(DIED) || already === 0).toBe(true);
      },
    });
    console.log(`refused: killed ${kills} times, at ${statements.length} statements`);
  }, 300_000);

  it('a reaper killed at any statement blocks each bead once', async () => {
    const stale = async (id: string) => {
      await scene.tracker.create(id, { assignee: 'agent' });
      await scene.dispatch({ policy: DEFAULT_POLICY });
      await scene.tracker.age(id, 45);
    };
    await stale('code-reaped');
    const statements = await record('reap');

    const kills = await killAtEach('reap', statements, {
      before: stale,
      after: async (id) => {
        await scene.reap();
        const { status, notes } = await scene.tracker.show(id);
        expect(status).toBe('blocked');
        expect(notes.match(/reaper: no progress/g)).toHaveLength(1);
        expect(await scene.tracker.eventsBy('beads-reaper', id)).toHaveLength(1);
      },
    });
    console.log(`reap: killed ${kills} times, at ${statements.length} statements`);
  }, 300_000);

  it('a reaper killed while it tells the end of a dispatch tells it once', async () => {
    const ended = async (id: string) => {
      await scene.tracker.create(id, { assignee: 'agent' });
      await scene.dispatch();
      await scene.tracker.closeBead(id, 'done', 'agent');
    };
    await ended('code-ended');
    const statements = await record('reap');
    expect(endsTold(scene.sink)).toHaveLength(1);

    const kills = await killAtEach('reap', statements, {
      before: ended,
      after: async (id) => {
        await scene.reap();
        const told = scene.sink.events.filter(
          ({ subject, type }) => subject === id && type.endsWith('completed.v1'),
        );
        expect(told).toHaveLength(1);
      },
    });
    console.log(`end: killed ${kills} times, at ${statements.length} statements`);
  }, 300_000);

  it('a reaper killed while it recovers an orphan leaves it neither stranded nor posted twice', async () => {
    /** A bead whose dispatcher died after the claim and before the intent, so that it is free. */
    const orphan = async (id: string) => {
      await scene.tracker.create(id, { assignee: 'agent' });
      await killIn('dispatch', (kill) => {
        proxy.onHeld = kill;
        proxy.onStatement = (sql) =>
          /INSERT INTO local_metadata .*intent/s.test(sql) ? 'hold-statement' : 'through';
      });
    };
    await orphan('code-orphan');
    const statements = await record('reap');
    expect(await scene.tracker.show('code-orphan')).toMatchObject({ status: 'open' });
    expect(scene.sink.typesOf('code-orphan')).toContain('reap.released.v1');
    await expectSettled('code-orphan');

    const kills = await killAtEach('reap', statements, { before: orphan, after: expectSettled });
    console.log(`release: killed ${kills} times, at ${statements.length} statements`);
  }, 300_000);
});
