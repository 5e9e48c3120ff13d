import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';

import { CHECKS } from '../cli/verify/checks.ts';
import { Lab } from '../cli/verify/lab.ts';
import { overlayIn, triggers } from '../cli/verify/overlay.ts';
import { runAll } from '../cli/verify/verify.ts';
import type { Way } from '../cli/verify/way.ts';
import { worldObjects } from '../cli/verify/world-objects.ts';
import { statusView } from '../shared/views/status.ts';
import { DoltServer } from './world/dolt.ts';
import { programCommand } from './world/function.ts';
import { buildKubernetes, buildOverlay, OVERLAYS, problemsIn } from './world/manifests.ts';
import { freePort, WorldProcess } from './world/process.ts';

/** `kn beads verify`, as far as it goes without a cluster. */

const IMAGE = 'registry.example.org/beads-auto-dispatch:1';
const PASSWORD = 'a password';

describe('what verify applies', () => {
  const built = [
    { name: 'kubernetes/base', yaml: buildKubernetes(), isKnative: false },
    ...OVERLAYS.map((name) => ({ name, yaml: buildOverlay(name), isKnative: true })),
  ];

  it.each(built)('$name, with the image and the addresses of its world', ({ yaml, isKnative }) => {
    const overlay = overlayIn(yaml, IMAGE, PASSWORD);
    expect(overlay.isKnative).toBe(isKnative);
    const applied = overlay.objects.map((each) => stringify(each)).join('---\n');
    expect(problemsIn(applied)).toEqual([]);
    expect(applied).not.toMatch(/image: beads-auto-dispatch/);
    expect(applied).toContain(`image: ${IMAGE}`);
    expect(applied).toContain('BEADS_DOLT_SERVER_HOST: dolt\n');
    // All goes into the one namespace that is removed again.
    expect(applied).not.toMatch(/^ {2}namespace:/m);
  });

  it('and its own world, in which nothing runs as root but the Dolt server', () => {
    const objects = worldObjects({ image: IMAGE, doltImage: 'dolt' }, { a: '' }, PASSWORD);
    const yaml = [...objects, ...triggers()].map((each) => stringify(each)).join('---\n');
    expect(problemsIn(yaml)).toEqual([]);
    expect(yaml.match(/runAsNonRoot: true/g)).toHaveLength(1);
  });
});

/** Processes of this machine in place of pods. */
class ProcessWay implements Way {
  readonly isKnative = false;
  readonly environment: Record<string, string>;
  readonly dolt: DoltServer;
  #serve: WorldProcess | undefined;
  isPaused = false;

  constructor(dolt: DoltServer, environment: Record<string, string>) {
    this.dolt = dolt;
    this.environment = environment;
  }

  async start(): Promise<void> {
    this.#serve = await startProgram('standalone', this.environment, /"listening"/);
  }

  async schedules(): Promise<string> {
    if (this.isPaused) throw new Error('PAUSED is set in beads-settings');
    return 'as given';
  }

  async pause(): Promise<void> {
    await this.#serve?.stop();
    this.#serve = undefined;
  }

  async resume(): Promise<void> {
    await this.start();
  }

  /** As a Deployment does. */
  async kill(): Promise<void> {
    await this.#serve?.stop('SIGKILL');
    await this.start();
  }

  async pods(): Promise<number> {
    return this.#serve === undefined ? 0 : 1;
  }

  async restartDolt(): Promise<void> {
    await this.dolt.stop();
    await this.dolt.restart();
  }

  async status() {
    const { BEADBOARD_URL: _, ...env } = this.environment;
    const plugin = join(import.meta.dirname, '../dist/plugins/kn-beads');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [plugin, 'status', '-o', 'json'],
      {
        env,
      },
    );
    return statusView.parse(JSON.parse(stdout));
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.environment['PORT']}/metrics`)).text();
  }

  async deadLetters(): Promise<string> {
    return '';
  }

  async end(): Promise<void> {
    await this.#serve?.stop('SIGKILL');
  }
}

async function startProgram(name: string, settings: Record<string, string>, ready: RegExp) {
  const { command, environment } = programCommand(name);
  const [file = '', ...args] = command;
  const env = { PATH: process.env['PATH'], ...environment, ...settings };
  return await WorldProcess.start(file, args, ready, { env });
}

describe('the checks of verify', () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  async function world(): Promise<{ way: ProcessWay; lab: Lab }> {
    const dolt = await DoltServer.start();
    ends.push(() => dolt.remove());
    const [port, boardPort, servePort] = [await freePort(), await freePort(), await freePort()];
    const lab = await startProgram(
      'lab',
      {
        LAB_DOLT_HOST: '127.0.0.1',
        LAB_DOLT_PORT: String(dolt.port),
        LAB_DATABASE: 'code',
        LAB_PASSWORD: PASSWORD,
        PORT: String(port),
        LAB_BOARD_PORT: String(boardPort),
      },
      /the lab listens/,
    );
    ends.push(() => lab.stop('SIGKILL'));
    const way = new ProcessWay(dolt, {
      PORT: String(servePort),
      BEADS_DOLT_SERVER_HOST: '127.0.0.1',
      BEADS_DOLT_SERVER_PORT: String(dolt.port),
      BEADS_DOLT_SERVER_USER: 'beads-dispatch',
      BEADS_DOLT_PASSWORD: PASSWORD,
      BEADS_DOLT_SERVER_DATABASE: 'code',
      BEADBOARD_URL: `http://127.0.0.1:${boardPort}`,
      K_SINK: `http://127.0.0.1:${port}/events`,
    });
    ends.push(() => way.end());
    return { way, lab: new Lab(`http://127.0.0.1:${port}`) };
  }

  it('all hold for a process that runs as a pod would, and say what they measured', async () => {
    const { way, lab } = await world();
    await way.start();
    const told: string[] = [];
    const verdicts = await runAll({ way, lab, quietMs: 1_000, patience: 1 }, ({ check }) =>
      told.push(check),
    );
    expect(verdicts.filter(({ passed }) => !passed)).toEqual([]);
    expect(verdicts).toHaveLength(8);
    expect(told).toEqual(verdicts.map(({ check }) => check));
    for (const { figure } of verdicts) expect(figure).not.toBe('');
  });

  it('do not hold for one that is paused, that does not pause, and that has no subscriber', async () => {
    const { way, lab } = await world();
    delete way.environment['K_SINK'];
    await way.start();
    way.isPaused = true;
    way.pause = async () => {};
    way.resume = async () => {};
    const wanted = ['schedules there', 'an event of each', 'paused, nothing'];
    const checks = CHECKS.filter(({ name }) => wanted.some((each) => name.startsWith(each)));
    const verdicts = await runAll(
      { way, lab, quietMs: 60_000, patience: 0.01 },
      () => undefined,
      checks,
    );
    expect(verdicts).toMatchObject([
      { passed: false, figure: 'PAUSED is set in beads-settings' },
      { passed: false, figure: expect.stringMatching(/^events .*: not within 1.2 s$/) },
      { passed: false, figure: 'a bead was dispatched while it was paused' },
    ]);
  });
});
