import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { NEWEST } from './world/bd-schema.ts';
import { Certificate } from './world/certificates.ts';
import { createDatabase } from './world/database.ts';
import { DoltServer } from './world/dolt.ts';
import { FunctionProcess } from './world/function.ts';
import { Scene } from './world/scene.ts';

const NAME = 'localhost';

describe('a Dolt server that takes TLS only', () => {
  let certificate: Certificate;
  let dolt: DoltServer;
  let scene: Scene;
  beforeAll(async () => {
    dolt = await DoltServer.start();
    await createDatabase(dolt.port, 'code', NEWEST);
    scene = await Scene.around('code', dolt.port);
    await scene.tracker.create('code-a', { assignee: 'agent' });
    scene.board.onPost = () => ({ status: 200, json: { job_id: '3f2a9c0d1e4b' } });
    await dolt.stop();
    certificate = await Certificate.for(NAME);
    await dolt.restart({ certificate });
  });
  afterAll(async () => {
    await Promise.all([scene.board.stop(), scene.sink.stop(), dolt.remove()]);
    await certificate.remove();
  });

  /** One tick of a dispatcher of its own. @returns its answer and its last error. */
  async function tick(settings: Record<string, string>) {
    const dispatch = await FunctionProcess.start('dispatch', {
      ...scene.environment(),
      BEADS_DOLT_SERVER_HOST: NAME,
      ...settings,
    });
    try {
      const answer = await dispatch.tick();
      await dispatch.stop();
      expect(dispatch.output).not.toContain(scene.settings.password);
      return { answer, error: dispatch.log.find(({ level }) => level === 'error') };
    } finally {
      await dispatch.stop();
    }
  }

  it('a function without TLS names the setting to change when the server requires TLS', async () => {
    const { answer, error } = await tick({});
    expect(answer).toBe(503);
    expect(error).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      msg: expect.stringContaining('Set BEADS_DOLT_SERVER_TLS=true.'),
    });
  });

  it('a function refuses a server whose certificate is signed by an unknown authority', async () => {
    const { answer, error } = await tick({ BEADS_DOLT_SERVER_TLS: 'true' });
    expect(answer).toBe(503);
    expect(error).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      msg: expect.stringMatching(/certificate.*NODE_EXTRA_CA_CERTS/),
    });
    expect(scene.board.posts).toEqual([]);
  });

  it('a function refuses a server whose certificate is for another name', async () => {
    const other = await Certificate.for('dolt.example.org');
    await dolt.stop();
    await dolt.restart({ certificate: other });
    const { answer, error } = await tick({
      BEADS_DOLT_SERVER_TLS: 'true',
      NODE_EXTRA_CA_CERTS: other.certFile,
    });
    await dolt.stop();
    await dolt.restart({ certificate });
    await other.remove();
    expect(answer).toBe(503);
    expect(error).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      msg: expect.stringContaining("does not match certificate's altnames"),
    });
    expect(scene.board.posts).toEqual([]);
  });

  it('a function works over TLS with a user and a password', async () => {
    const { answer, error } = await tick({
      BEADS_DOLT_SERVER_TLS: 'true',
      NODE_EXTRA_CA_CERTS: certificate.certFile,
    });
    expect({ answer, error }).toEqual({ answer: 204, error: undefined });
    expect(scene.board.posts).toEqual(['code-a']);
    expect(scene.sink.typesOf('code-a')).toEqual(['dispatch.claimed.v1', 'dispatch.dispatched.v1']);
  });
});
