import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { readDispatchSettings, readSettings } from '../../shared/settings/settings.ts';

const database = { BEADS_DOLT_SERVER_HOST: 'dolt', BEADS_DOLT_SERVER_DATABASE: 'code' };

describe('settings', () => {
  it('the settings have the defaults of the contract', () => {
    expect(readSettings(database)).toEqual({
      PORT: 8080,
      BASE_PATH: '',
      PAUSED: false,
      AGENT_ASSIGNEE: 'agent',
      MAX_DISPATCHES_PER_TICK: 10,
      MAX_ATTEMPTS: 5,
      RETRY_BASE_MS: 120_000,
      RETRY_MAX_MS: 1_800_000,
      DISPATCH_TIMEOUT_MS: 30_000,
      TICK_TIMEOUT_MS: 100_000,
      REAP_AFTER_MINUTES: 30,
      ACCEPT_PLAIN_POST: false,
      log: { level: 'info', secrets: {} },
      database: {
        host: 'dolt',
        port: 3307,
        user: 'root',
        password: undefined,
        database: 'code',
        tls: false,
      },
      source: '/beads/code',
      eventExtensions: {},
      warnings: [expect.stringContaining('no SQL user is named, so it is root')],
    });
  });

  it('an empty variable counts as not set', () => {
    expect(readSettings({ ...database, PAUSED: '', K_SINK: '' }).PAUSED).toBe(false);
  });

  it.each([
    ['MAX_ATTEMPTS', '1.5', 'MAX_ATTEMPTS is "1.5"; it takes a whole number from 1 to 1000'],
    ['MAX_IN_FLIGHT', '-1', 'MAX_IN_FLIGHT is "-1"; it takes a whole number from 1 to 10000'],
    ['K_SINK', 'sink', 'K_SINK is "sink"; it takes an http or https address'],
    ['K_CE_OVERRIDES', '{', 'K_CE_OVERRIDES is "{"; it takes JSON such as'],
    ['K_CE_OVERRIDES', '{"extensions":{"A-b":"c"}}', 'it takes extensions with names'],
    ['LOG_LEVEL', 'loud', 'it takes trace, debug, info, warn, error, fatal or silent'],
    ['BEADS_DOLT_SERVER_PORT', '70000', 'it takes a whole number from 1 to 65535'],
    ['AGENT_ASSIGNEE', ' ', 'AGENT_ASSIGNEE is " "; it takes a name without blanks around it'],
    [
      'BEADBOARD_URL',
      'http://me:hunter2@board/x?token=hunter2',
      'BEADBOARD_URL is "http://board/…"; it takes an http or https address',
    ],
    ['BEADS_DIR', '/nowhere', "it takes a folder with bd's metadata.json"],
  ])('a setting error says in one line what is wrong with %s=%s', (name, value, line) => {
    const read = () => readSettings({ ...database, [name]: value });
    expect(read).toThrow(line);
    expect(read).toThrow(/^[^\n]*$/);
  });

  it('a project id with half a character is still a source', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beads-settings-'));
    await writeFile(join(folder, 'metadata.json'), '{"project_id":"a\\ud800b"}');
    expect(readSettings({ ...database, BEADS_DIR: folder }).source).toBe('/beads/a%EF%BF%BDb');
    await rm(folder, { recursive: true });
  });

  it('a setting error names what is missing', () => {
    expect(() => readSettings({})).toThrow('BEADS_DOLT_SERVER_HOST is not set');
    expect(() => readSettings({ BEADS_DOLT_SERVER_HOST: 'h' })).toThrow(
      'SERVER_DATABASE is not set',
    );
    expect(() => readDispatchSettings(database)).toThrow('BEADBOARD_URL is not set');
  });

  it('a secret comes from a file, is hidden like any other, and never from two places', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beads-secret-'));
    const file = join(folder, 'password');
    const withFile = { ...database, BEADS_DOLT_PASSWORD_FILE: file };
    try {
      expect(() => readSettings(withFile)).toThrow(
        `BEADS_DOLT_PASSWORD_FILE is "${file}"; it takes a file that can be read`,
      );
      await writeFile(file, '\n');
      expect(() => readSettings(withFile)).toThrow('it takes a file that is not empty');
      await writeFile(file, 'x'.repeat(65_537));
      expect(() => readSettings(withFile)).toThrow('it takes a file of 65536 bytes at most');
      await writeFile(file, 'hunter2 \n');
      const { database: read, log } = readSettings(withFile);
      expect(read.password).toBe('hunter2 ');
      expect(log.secrets).toEqual({ BEADS_DOLT_PASSWORD: 'hunter2 ' });
      expect(() => readSettings({ ...withFile, BEADS_DOLT_PASSWORD: 'hunter2' })).toThrow(
        'BEADS_DOLT_PASSWORD and BEADS_DOLT_PASSWORD_FILE are both set; set one of them',
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('a setting error never repeats a secret', () => {
    const read = () =>
      readSettings({ ...database, MAX_ATTEMPTS: 'x', BEADS_DOLT_PASSWORD: 'hunter2' });
    expect(read).not.toThrow('hunter2');
    expect(read).toThrow('MAX_ATTEMPTS');
  });
});
