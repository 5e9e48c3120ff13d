import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { EVENT_DATA } from '../shared/events/event-types.ts';
import { unsentCount } from './world/audit.ts';
import { FunctionProcess, pingHeaders, type FunctionName } from './world/function.ts';
import { connectTo } from './world/database.ts';
import { Scene } from './world/scene.ts';

/** The built functions as processes, asked over HTTP. */
describe('the built functions', () => {
  let scene: Scene;
  let running: FunctionProcess[];
  beforeEach(async () => {
    scene = await Scene.open();
    running = [];
  });
  afterEach(async () => {
    for (const each of running) await each.stop('SIGKILL');
    await scene.close();
  });

  async function start(
    name: FunctionName,
    replaced: Readonly<Record<string, string>> = {},
  ): Promise<FunctionProcess> {
    const started = await FunctionProcess.start(name, {
      ...scene.environment(),
      ...replaced,
    });
    running.push(started);
    return started;
  }

  it('a PingSource tick dispatches a bead, and another one blocks it when it stalls', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent', title: 'Look into it' });
    const dispatch = await start('dispatch');
    const reap = await start('reap');

    expect(await dispatch.tick()).toBe(204);
    await scene.tracker.age('code-a1', 31);
    expect(await reap.tick()).toBe(204);

    expect((await scene.tracker.show('code-a1')).status).toBe('blocked');
    expect(scene.sink.typesOf()).toEqual([
      'dispatch.claimed.v1',
      'dispatch.dispatched.v1',
      'reap.blocked.v1',
    ]);
  });

  it('a function sends CloudEvents that match the contract', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent', title: 'Look into it' });
    const dispatch = await start('dispatch', { K_CE_OVERRIDES: '{"extensions":{"team":"home"}}' });
    await dispatch.tick();

    const [row] = await scene.tracker.eventsBy('beads-dispatcher', 'code-a1');
    const [claimed] = scene.sink.events;
    expect(claimed).toMatchObject({
      specversion: '1.0',
      id: row?.id,
      type: 'io.beads.dispatch.claimed.v1',
      source: `/beads/${scene.settings.database}/dispatch`,
      subject: 'code-a1',
      datacontenttype: 'application/json',
      partitionkey: 'code-a1',
      team: 'home',
      data: { bead: { id: 'code-a1', title: 'Look into it', priority: 2 }, attempt: 1 },
    });
    expect(claimed?.dataschema).toMatch(/\/io\.beads\.dispatch\.claimed\.v1\.schema\.json$/);
    expect(EVENT_DATA['dispatch.claimed.v1'].parse(claimed?.data)).toEqual(claimed?.data);
  });

  it('a function accepts only binary and structured CloudEvents', async () => {
    const reap = await start('reap');
    const attributes = { id: '1', source: '/me', type: 'wake', specversion: '1.0' };
    const binary = Object.fromEntries(Object.entries(attributes).map(([k, v]) => [`ce-${k}`, v]));
    const structured = { 'content-type': 'application/cloudevents+json' };
    const json = { 'content-type': 'application/json' };

    expect((await reap.send(binary)).status).toBe(204);
    expect((await reap.send({ ...binary, ...json }, '{"any":"data"}')).status).toBe(204);
    expect((await reap.send({ ...binary, 'content-type': 'text/plain' }, 'x')).status).toBe(204);
    expect((await reap.send(structured, JSON.stringify(attributes))).status).toBe(204);

    expect((await reap.send(json, '{"no":"event"}')).status).toBe(400);
    expect((await reap.send({})).status).toBe(400);
    for (const name of Object.keys(attributes)) {
      const { [`ce-${name}`]: _, ...rest } = binary;
      expect((await reap.send(rest)).status, `binary without ${name}`).toBe(400);
      const less = JSON.stringify({ ...attributes, [name]: undefined });
      expect((await reap.send(structured, less)).status, `structured without ${name}`).toBe(400);
    }
    expect((await reap.send({ ...binary, 'ce-specversion': '7' })).status).toBe(400);
    expect((await reap.send({ ...binary, 'ce-time': 'yesterday' })).status).toBe(400);
    expect((await reap.send(structured, '{"half":')).status).toBe(400);
    expect((await reap.send(structured, '"text"')).status).toBe(400);
    expect((await fetch(reap.url)).status).toBe(400);
  });

  it('a paused function does nothing', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const dispatch = await start('dispatch', { PAUSED: 'true' });

    expect(await dispatch.tick()).toBe(204);

    expect(await scene.tracker.show('code-a1')).toMatchObject({ status: 'open', notes: '' });
    expect(scene.board.statusCalls).toBe(0);
  });

  it('a function reads the metadata.json of bd, and the environment variables of bd override it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beads-dir-'));
    try {
      const file = {
        database: 'dolt',
        backend: 'dolt',
        dolt_mode: 'server',
        dolt_server_host: scene.settings.host,
        dolt_server_port: 1,
        dolt_server_user: 'root',
        dolt_database: scene.settings.database,
        project_id: '9346db15-334d-47b9-ad24-504877e7fdec',
      };
      await writeFile(join(folder, 'metadata.json'), JSON.stringify(file));
      const started = await FunctionProcess.start('dispatch', {
        BEADS_DIR: folder,
        BEADS_DOLT_SERVER_PORT: String(scene.settings.port),
        BEADBOARD_URL: scene.board.url,
        K_SINK: scene.sink.url,
      });
      running.push(started);
      await scene.tracker.create('code-a1', { assignee: 'agent' });

      expect(await started.tick()).toBe(204);
      expect(scene.sink.events[0]?.source).toBe(`/beads/${file.project_id}/dispatch`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('a function exits at once with one line when a setting is invalid', async () => {
    const cases = {
      PAUSED: ['maybe', 'PAUSED is "maybe"; it takes true or false'],
      MAX_ATTEMPTS: ['0', 'MAX_ATTEMPTS is "0"; it takes a whole number from 1 to 1000'],
      BEADBOARD_URL: ['board', 'BEADBOARD_URL is "board"; it takes an http or https address'],
    };
    for (const [name, [value, line]] of Object.entries(cases)) {
      const ended = start('dispatch', { [name]: String(value) });
      await expect(ended).rejects.toThrow(`ended with 1 before it was ready:\n${line}\n`);
    }
  });

  it('logs contain no prompt and no description, and events no answer either', async () => {
    await scene.tracker.create('code-a1', {
      assignee: 'agent',
      description: 'canary-description',
      acceptance_criteria: 'canary-acceptance',
    });
    const dispatch = await start('dispatch');
    const answers = [
      { status: 500, json: { error: 'canary-refused token=hunter22' } },
      { status: 502, json: { error: 'fetch failed canary-unknown' } },
    ];
    scene.board.onPost = () => answers.shift();
    await dispatch.tick();
    await scene.tracker.ageHistory('code-a1', 60);
    await dispatch.tick();

    expect((await scene.tracker.show('code-a1')).notes).toMatch(/canary-refused[^]*canary-unknown/);
    expect(scene.sink.typesOf()).toEqual([
      'dispatch.claimed.v1',
      'dispatch.failed.v1',
      'dispatch.claimed.v1',
      'dispatch.unconfirmed.v1',
    ]);
    expect(JSON.stringify(scene.sink.events)).not.toContain('canary');
    await dispatch.stop();
    expect(dispatch.output).toContain('code-a1');
    // Of an answer the field `error`, as a quotation without secrets.
    expect(dispatch.output).toContain('canary-refused token=[secret]');
    expect(dispatch.output).not.toMatch(/hunter22|canary-(description|acceptance|elsewhere)/);
  });

  it('a function without a sink logs its events, and says so at the start', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const dispatch = await start('dispatch', { K_SINK: '' });
    await dispatch.tick();

    await dispatch.stop();
    expect(dispatch.log[0]?.['msg']).toContain('no K_SINK');
    const logged = dispatch.log.filter((line) => 'event' in line).map(({ event }) => event);
    expect(logged).toMatchObject([
      { type: 'io.beads.dispatch.claimed.v1', subject: 'code-a1' },
      { type: 'io.beads.dispatch.dispatched.v1', subject: 'code-a1' },
    ]);
  });

  it('a function dispatches while the sink is down, keeps the events and logs the problem', async () => {
    await scene.tracker.create('code-a1', { assignee: 'agent' });
    const dispatch = await start('dispatch', { K_SINK: 'http://127.0.0.1:1/' });

    expect(await dispatch.tick()).toBe(204);

    expect((await scene.tracker.show('code-a1')).notes).toContain('dispatched: job=');
    await dispatch.stop();
    const line = dispatch.log.find(({ msg }) => String(msg).includes('outbox'));
    expect(line?.['problem']).toContain('ECONNREFUSED');
    expect(await unsentCount(scene.tracker)).toBe(2);
  });

  describe('that cannot look', () => {
    /** Others may not know whether there is such a database. */
    const ROOT = { BEADS_DOLT_SERVER_USER: 'root', BEADS_DOLT_PASSWORD: '' };
    const cases: Record<string, [Record<string, string>, string]> = {
      'the database is not there': [{ BEADS_DOLT_SERVER_PORT: '1' }, 'DATABASE_UNREACHABLE'],
      'the user is wrong': [{ BEADS_DOLT_SERVER_USER: 'nobody' }, 'DATABASE_ACCESS_DENIED'],
      'the password is wrong': [{ BEADS_DOLT_PASSWORD: 'hunter2' }, 'DATABASE_ACCESS_DENIED'],
      'the database does not exist': [
        { ...ROOT, BEADS_DOLT_SERVER_DATABASE: 'no' },
        'DATABASE_SCHEMA',
      ],
      'it is not a bd database': [
        { ...ROOT, BEADS_DOLT_SERVER_DATABASE: 'mysql' },
        'DATABASE_SCHEMA',
      ],
    };
    for (const [name, [replaced, code]] of Object.entries(cases)) {
      it(`a tick that cannot read the database answers 503 with one log line and an event: ${name}`, async () => {
        for (const each of ['dispatch', 'reap'] as const) {
          const failing = await start(each, replaced);
          expect(await failing.tick(), each).toBe(503);

          await failing.stop();
          const errors = failing.log.filter(({ level }) => level === 'error');
          expect(errors, each).toMatchObject([{ code }]);
          expect(scene.sink.events.at(-1), each).toMatchObject({
            type: 'io.beads.tick.failed.v1',
            subject: each,
            data: { function: each, code, message: errors[0]?.['msg'] },
          });
          expect(failing.output).not.toContain('hunter2');
        }
      });
    }

    it('six failed ticks in a row, as of one PingSource, are one event, in one process and in two', async () => {
      const gone = { BEADBOARD_URL: 'http://127.0.0.1:1' };
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      for (const _ of ['first pod', 'second pod']) {
        const failing = await start('dispatch', gone);
        for (let n = 0; n < 6; n += 1) expect(await failing.tick()).toBe(503);
        await failing.stop();
      }
      expect(scene.sink.typesOf(), 'to whoever deduplicates').toEqual(['tick.failed.v1']);
      expect(scene.sink.deliveries, 'once for each process').toHaveLength(2);
    });

    it('the answer names no host and no user', async () => {
      const failing = await start('dispatch', { BEADS_DOLT_SERVER_PORT: '1' });
      const answer = await failing.send(pingHeaders('dispatch'));
      expect(await answer.json()).toEqual({ code: 'DATABASE_UNREACHABLE', message: 'see the log' });
    });

    it('a tick answers 503, sends an event and claims nothing when BeadBoard is unreachable', async () => {
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      const failing = await start('dispatch', { BEADBOARD_URL: 'http://127.0.0.1:1' });

      expect(await failing.tick()).toBe(503);

      expect(scene.sink.typesOf()).toEqual(['tick.failed.v1']);
      expect(await scene.tracker.show('code-a1')).toMatchObject({ status: 'open', notes: '' });
    });

    it('a tick refuses a schema that is newer than it knows, and writes nothing', async () => {
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      await scene.tracker.sql('ALTER TABLE issues ADD COLUMN quorum bigint NOT NULL DEFAULT 0');
      await scene.tracker.sql("CALL DOLT_COMMIT('-Am', 'bd migrate')");
      const failing = await start('dispatch');

      expect(await failing.tick()).toBe(503);

      await failing.stop();
      expect(failing.output).toContain('does not know: issues.quorum');
      expect(await scene.tracker.show('code-a1')).toMatchObject({ status: 'open', notes: '' });
    });

    it('a function recovers without a restart once the schema is complete', async () => {
      await scene.tracker.create('code-a1', { assignee: 'agent' });
      const connection = await connectTo(scene.settings.port, scene.settings.database);
      await connection.query('RENAME TABLE labels TO labels_away');
      const dispatch = await start('dispatch');
      expect(await dispatch.tick()).toBe(503);

      await connection.query('RENAME TABLE labels_away TO labels');
      await connection.end();
      expect(await dispatch.tick()).toBe(204);
      expect(scene.board.posts).toEqual(['code-a1']);
    });
  });
});
