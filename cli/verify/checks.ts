import { setTimeout as pause } from 'node:timers/promises';

import type { Lab, LabBead } from './lab.ts';
import { until } from './until.ts';
import type { Way } from './way.ts';

/**
 * What an installation has to show, in this order: first the acceptance plan of the two cron jobs
 * that this project replaces, then what they could not do.
 */
export interface Check {
  name: string;
  /** Not on Kubernetes without Knative. */
  needsKnative?: boolean;
  /** @returns its figure, in words. @throws when it does not hold. */
  run: (world: VerifyWorld) => Promise<string>;
}

export interface VerifyWorld {
  lab: Lab;
  way: Way;
  /** How long nothing may happen while it is paused. */
  quietMs: number;
  /** Of the patience that each check has: less for one that is to fail. */
  patience: number;
}

/** Two minutes, by the acceptance plan and the schedule of the plain overlay, and a start from zero. */
const DISPATCH_MS = 130_000;
/** The reaper's schedule, and a minute for its start. */
const REAP_MS = 660_000;
const STALLED_MINUTES = 31;
/** A broker's retries, and a start from zero. */
const EVENTS_MS = 120_000;
/** Knative's stable window of a minute, its grace period, and the drain of the pod. */
const SCALE_TO_ZERO_MS = 300_000;
const QUIET_STEP_MS = 1_000;
/** Long enough to be killed in. */
const SLOW_ANSWER_MS = 8_000;

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

export const CHECKS: readonly Check[] = [
  {
    name: 'schedules there, and not suspended',
    run: async ({ way }) => await way.schedules(),
  },
  {
    name: 'dispatched in 2 minutes, with both notes',
    run: async (world) => {
      const { lab } = world;
      await lab.script({ agents: 'stall' });
      await lab.create('code-a1');
      const { tookMs } = await dispatched(world, 'code-a1');
      return inSeconds(tookMs);
    },
  },
  {
    name: 'blocked by the reaper when its agent died',
    run: async (world) => {
      const { lab } = world;
      // Its first note comes at about the dispatcher's, and would make the bead young again.
      await until('the note of the agent', DISPATCH_MS * world.patience, async () =>
        holds(await lab.bead('code-a1'), 'in_progress', 'claimed by agent '),
      );
      await lab.age('code-a1', STALLED_MINUTES);
      const { tookMs } = await until('the bead is blocked', REAP_MS * world.patience, async () =>
        holds(await lab.bead('code-a1'), 'blocked', 'reaper: no progress for'),
      );
      return inSeconds(tookMs);
    },
  },
  {
    name: 'an event of each transition delivered',
    run: async (world) => {
      const { lab } = world;
      const wanted = ['dispatch.claimed.v1', 'dispatch.dispatched.v1', 'reap.blocked.v1'];
      const { tookMs } = await until(
        `events ${wanted.join(', ')}`,
        EVENTS_MS * world.patience,
        async () => {
          const types = new Set(
            (await lab.events()).map(({ type, subject }) => `${subject} ${type}`),
          );
          return wanted.every((type) => types.has(`code-a1 io.beads.${type}`)) || undefined;
        },
      );
      return inSeconds(tookMs);
    },
  },
  {
    name: 'status and metrics agree, from outside',
    run: async ({ way, patience }) => {
      const { seen: status } = await until('one blocked bead', EVENTS_MS * patience, async () => {
        const { counts } = await way.status();
        return counts.blocked === 1 ? counts : undefined;
      });
      const metrics = await way.metrics();
      if (metrics === undefined) return `${status.blocked} blocked; no watcher here`;
      const [, blocked] = /^beads_dispatch_beads\{state="blocked"\} (\d+)$/m.exec(metrics) ?? [];
      if (Number(blocked) !== status.blocked) throw new Error(`the metrics say ${blocked} blocked`);
      return `${status.blocked} blocked`;
    },
  },
  {
    name: 'dead letters of a subscriber that is down',
    needsKnative: true,
    run: async (world) => {
      const { lab, way } = world;
      // The newest: the log of a pod that has scaled to zero is gone.
      const event = (await lab.events()).at(-1);
      if (event === undefined) throw new Error('there was no event');
      const { tookMs } = await until('the dead letter', EVENTS_MS * world.patience, async () =>
        (await way.deadLetters()).includes(event.id) ? true : undefined,
      );
      return inSeconds(tookMs);
    },
  },
  {
    name: 'paused, nothing; resumed, it goes on',
    run: async (world) => {
      const { lab, way, quietMs } = world;
      await lab.script({ agents: 'finish' });
      await way.pause();
      await lab.create('code-a2');
      await quiet(lab, 'code-a2', quietMs);
      await way.resume();
      const { tookMs } = await closed(world, 'code-a2');
      return `${quietMs / 1000} s quiet; closed after ${inSeconds(tookMs)}`;
    },
  },
  {
    name: 'scaled to zero, and started from zero',
    needsKnative: true,
    run: async (world) => {
      const { lab, way } = world;
      const { tookMs } = await until(
        'no pod of dispatch',
        SCALE_TO_ZERO_MS * world.patience,
        async () => ((await way.pods()) === 0 ? true : undefined),
      );
      const createdAt = performance.now();
      await lab.create('code-a3');
      await posted(world, 'code-a3');
      const coldMs = performance.now() - createdAt;
      return `zero after ${inSeconds(tookMs)}; POST after ${inSeconds(coldMs)}`;
    },
  },
  {
    name: 'Dolt restarted, nothing lost',
    run: async (world) => {
      const { lab, way } = world;
      await way.restartDolt();
      const startedAt = performance.now();
      await lab.create('code-a4');
      await closed(world, 'code-a4');
      await once(lab, 'code-a4');
      return `closed after ${inSeconds(performance.now() - startedAt)}`;
    },
  },
  {
    name: 'pod killed in the middle, nothing doubled',
    run: async (world) => {
      const { lab, way } = world;
      await lab.script({ answerAfterMs: SLOW_ANSWER_MS });
      await lab.create('code-a5');
      await posted(world, 'code-a5');
      await way.kill();
      await lab.script({ answerAfterMs: 0 });
      const { tookMs } = await closed(world, 'code-a5');
      // What comes next is dispatched as ever.
      await lab.create('code-a6');
      await closed(world, 'code-a6');
      await once(lab, 'code-a5');
      return `one POST; closed after ${inSeconds(tookMs)}`;
    },
  },
];

const dispatched = ({ lab, patience }: VerifyWorld, id: string) =>
  until(`${id} is in progress with both notes`, DISPATCH_MS * patience, async () =>
    holds(await lab.bead(id), 'in_progress', 'auto-dispatcher claimed at ', 'dispatched: job='),
  );

const posted = ({ lab, patience }: VerifyWorld, id: string) =>
  until(
    `${id} is posted to BeadBoard`,
    DISPATCH_MS * patience,
    async () => (await lab.posts(id))[0],
  );

const closed = ({ lab, patience }: VerifyWorld, id: string) =>
  until(`${id} is closed by its agent`, DISPATCH_MS * patience, async () =>
    holds(await lab.bead(id), 'closed'),
  );

/** @throws as soon as the bead is dispatched all the same. */
async function quiet(lab: Lab, id: string, quietMs: number): Promise<void> {
  const endsAt = performance.now() + quietMs;
  while (performance.now() < endsAt) {
    if ((await lab.posts(id)).length > 0) {
      throw new Error('a bead was dispatched while it was paused');
    }
    await pause(Math.min(QUIET_STEP_MS, quietMs));
  }
}

async function once(lab: Lab, id: string): Promise<void> {
  const { length } = await lab.posts(id);
  if (length !== 1) throw new Error(`BeadBoard got ${length} POSTs for ${id}`);
}

function holds(bead: LabBead, status: string, ...notes: string[]): true | undefined {
  return (bead.status === status && notes.every((note) => bead.notes.includes(note))) || undefined;
}
