import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { NO_ANSWER, type AgentService } from '../shared/agent-service/agent-service.ts';
import { GENERATIONS } from './world/bd-schema.ts';
import { Scene } from './world/scene.ts';

/** What bd after 1.2 asks of every writer: docs/decisions/0012. */
let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open(65);
});
afterEach(async () => {
  await scene.close();
});

async function dispatched(id: string): Promise<void> {
  await scene.tracker.create(id, { assignee: 'agent' });
  await scene.dispatch();
}

async function leases(): Promise<string[]> {
  const rows = await scene.tracker.sql('SELECT issue_id FROM leases ORDER BY issue_id');
  return rows.map((row) => String(row['issue_id']));
}

describe('a lease', () => {
  it('a claim grants no lease, since nobody would renew it and bd reclaim would undo the claim', async () => {
    await dispatched('code-a');
    expect(await leases()).toEqual([]);
  });

  it.each([
    ['that runs', 0, 'in_progress'],
    ['whose last heartbeat was within the threshold', 20, 'in_progress'],
    ['that ran out long ago', 45, 'blocked'],
  ])('a lease %s decides what the reaper does', async (_name, agoMinutes, status) => {
    await dispatched('code-a');
    await scene.tracker.age('code-a', 60);
    await scene.tracker.heartbeat('code-a', agoMinutes);

    await scene.reap();

    expect((await scene.tracker.show('code-a')).status).toBe(status);
    expect(await leases()).toEqual(status === 'blocked' ? [] : ['code-a']);
  });

  it('a lease that is renewed while the reaper decides keeps the bead in progress', async () => {
    await dispatched('code-a');
    await scene.tracker.age('code-a', 60);
    await scene.tracker.heartbeat('code-a', 45);
    const beats: Pick<AgentService, 'jobState'> = {
      jobState: async () => {
        await scene.tracker.heartbeat('code-a');
        return NO_ANSWER;
      },
    };

    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reaper only asks for states
    expect(await scene.reap({ agentService: beats as AgentService })).toMatchObject({ blocked: 0 });

    expect((await scene.tracker.show('code-a')).status).toBe('in_progress');
    expect(await leases()).toEqual(['code-a']);
  });

  it('a lease lasts as long as its claim and ends with it', async () => {
    scene.board.onPost = async (id) => {
      await scene.tracker.heartbeat(id);
      return id === 'code-no' ? { status: 500, json: { error: 'not configured' } } : undefined;
    };
    await dispatched('code-yes');
    await dispatched('code-no');
    expect((await scene.tracker.show('code-no')).status).toBe('open');
    expect(await leases()).toEqual(['code-yes']);
  });
});

describe("what a person's import goes by", () => {
  it.each(GENERATIONS)('updated_at never goes back in time, on schema %i', async (generation) => {
    await scene.close();
    scene = await Scene.open(generation);
    await scene.tracker.create('code-a', { assignee: 'agent' });
    // As bd rounds half a second up.
    await scene.tracker.sql(
      "UPDATE issues SET updated_at = UTC_TIMESTAMP() + INTERVAL 1 SECOND WHERE id = 'code-a'",
    );
    const { updated_at: before } = await scene.tracker.show('code-a');
    await scene.dispatch();
    const after = await scene.tracker.show('code-a');
    expect(after.status).toBe('in_progress');
    expect(after.updated_at >= before).toBe(true);
  });
});

describe('a bead that was pinned in the meantime', () => {
  it.each(GENERATIONS)(
    'a bead that was pinned in progress loses the pin when it is blocked, on schema %i',
    async (generation) => {
      await scene.close();
      scene = await Scene.open(generation);
      await dispatched('code-a');
      await scene.tracker.update('code-a', { pinned: 1 });
      await scene.tracker.age('code-a', 45);
      await scene.reap();
      const [row] = await scene.tracker.sql('SELECT status, pinned FROM issues');
      expect(row).toMatchObject({ status: 'blocked', pinned: 0 });
    },
  );
});

describe('the cells of a version', () => {
  it('every write sets the version cells of a bead to new random values', async () => {
    await scene.tracker.sql('ALTER TABLE issues ADD COLUMN revision bigint NOT NULL DEFAULT 0');
    await scene.tracker.sql('ALTER TABLE issues ADD COLUMN claim_fence bigint NOT NULL DEFAULT 0');
    await scene.tracker.sql("CALL DOLT_COMMIT('-am', 'bd migrate')");
    const seen: Record<string, unknown>[] = [];
    scene.board.onPost = async () => {
      seen.push(await cells());
      return undefined;
    };
    await dispatched('code-a');
    seen.push(await cells());
    await scene.tracker.age('code-a', 45);
    await scene.reap();
    seen.push(await cells());

    for (const cell of ['row_lock', 'revision']) {
      const values = seen.map((cellsThen) => String(cellsThen[cell]));
      expect(new Set(values).size, cell).toBe(3);
      expect(values).not.toContain('0');
      expect(Math.max(...values.map(({ length }) => length))).toBeGreaterThan(17);
    }
    expect(seen.map(({ claim_fence }) => String(claim_fence))).toEqual(['1', '1', '1']);
  });

  async function cells() {
    const [row] = await scene.tracker.sql(
      `SELECT CAST(row_lock AS CHAR) AS row_lock, CAST(revision AS CHAR) AS revision, claim_fence
         FROM issues`,
    );
    return row ?? {};
  }
});

describe("bd's journal", () => {
  it('the journal of bd gets nothing while it is off', async () => {
    await dispatched('code-a');
    expect(await journal()).toEqual([]);
  });

  it('the journal of bd gets each write once it has rows, in order and with the bead as it then is', async () => {
    await scene.tracker.sql(
      "INSERT INTO bd_events_journal (seq, ts, op, issue_id) VALUES (7, NOW(), 'create', 'code-x')",
    );
    await scene.tracker.sql('UPDATE bd_events_seq SET next_seq = 7');
    await dispatched('code-a');
    await scene.tracker.age('code-a', 45);
    await scene.reap();

    const rows = await journal();
    expect(rows.map(({ seq, op, issue_id }) => [Number(seq), op, issue_id])).toEqual([
      [7, 'create', 'code-x'],
      [8, 'update', 'code-a'],
      [9, 'update', 'code-a'],
      [10, 'update', 'code-a'],
    ]);
    const last: unknown = JSON.parse(String(rows.at(-1)?.['issue_json']));
    const { status, notes } = await scene.tracker.show('code-a');
    expect(last).toMatchObject({ id: 'code-a', status, notes });
    expect(status).toBe('blocked');
  });

  it.each([
    ['is behind its rows', 'UPDATE bd_events_seq SET next_seq = 3', 8],
    ['is lost', 'DELETE FROM bd_events_seq', 8],
    ['counts on after its rows were pruned', 'UPDATE bd_events_seq SET next_seq = 500', 501],
  ])('the journal of bd gets each write when its counter %s', async (name, change, first) => {
    await scene.tracker.sql(
      "INSERT INTO bd_events_journal (seq, ts, op, issue_id) VALUES (7, NOW(), 'create', 'code-x')",
    );
    await scene.tracker.sql(change);
    if (name.includes('pruned')) await scene.tracker.sql('DELETE FROM bd_events_journal');
    await dispatched('code-a');

    const rows = (await journal()).filter(({ issue_id }) => issue_id === 'code-a');
    expect(rows.map(({ seq }) => Number(seq))).toEqual([first, first + 1]);
    expect((await scene.tracker.show('code-a')).notes).toContain('dispatched: job=');
  });

  async function journal() {
    return await scene.tracker.sql('SELECT * FROM bd_events_journal ORDER BY seq');
  }
});
