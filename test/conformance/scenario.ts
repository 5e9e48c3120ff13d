import { DISPATCHER, REAPER } from '../../shared/beads/rows/actors.ts';
import { claim } from '../../shared/beads/write/transitions.ts';
import type { BdWorkspace } from '../world/bd.ts';
import type { Reply } from '../world/http-stand-in.ts';
import { DEFAULT_POLICY, type Scene } from '../world/scene.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';

/** One of two equal databases, with the workspace of the person who made it. */
export interface Stage {
  workspace: BdWorkspace;
  scene: Scene;
  /** Ids by role. */
  beads: ReadonlyMap<Role, string>;
}

export const ROLES = ['dispatched', 'failed', 'given-up', 'unconfirmed', 'released'] as const;
export type Role = (typeof ROLES)[number] | 'dependent' | 'leased';

/** One step: what it is called, and the database before and after it. */
export interface Step {
  name: string;
  before: Snapshot;
  after: Snapshot;
  /** What the step appended to the bead's notes, one line each. */
  notes: readonly string[];
}

/** How a case is played: by our ticks, or by bd with the notes that our ticks wrote. */
export interface Case {
  name: string;
  role: Role;
  /** Only where bd has leases. */
  needsLeases?: boolean;
  ours: (stage: Stage, id: string) => Promise<Step[]>;
  bd: (stage: Stage, id: string, notesOf: (step: string) => readonly string[]) => Promise<Step[]>;
}

/** BeadBoard's answer, and the bd commands that would record it. */
const dispatchCase = (role: Role, reply: Reply | undefined, to?: string): Case => ({
  name: role,
  role,
  ours: async (stage, id) => {
    const { scene } = stage;
    await stage.workspace.bd('assign', id, 'agent');
    const before = await takeSnapshot(scene.tracker);
    let claimed = before;
    scene.board.onPost = async () => {
      claimed = await takeSnapshot(scene.tracker);
      return reply;
    };
    const retry = { ...DEFAULT_POLICY.retry, maxAttempts: role === 'given-up' ? 1 : 5 };
    await scene.dispatch({ policy: { ...DEFAULT_POLICY, retry } });
    scene.board.onPost = undefined;
    const after = await takeSnapshot(scene.tracker);
    await park(stage, role, id);
    return [step('claimed', id, before, claimed), step(role, id, claimed, after)];
  },
  bd: async (stage, id, notesOf) => {
    const { workspace, scene } = stage;
    await workspace.bd('assign', id, 'agent');
    const before = await takeSnapshot(scene.tracker);
    const [claimNote = ''] = notesOf('claimed');
    await update(workspace, DISPATCHER, id, 'in_progress', claimNote);
    const claimed = await takeSnapshot(scene.tracker);
    const notes = notesOf(role);
    for (const [index, note] of notes.entries()) {
      await update(workspace, DISPATCHER, id, index === notes.length - 1 ? to : undefined, note);
    }
    const after = await takeSnapshot(scene.tracker);
    await park(stage, role, id);
    return [step('claimed', id, before, claimed), step(role, id, claimed, after)];
  },
});

/** What is open again must not be taken by the next case. */
async function park({ workspace }: Stage, role: Role, id: string): Promise<void> {
  if (role === 'failed') await workspace.bd('assign', id, 'person');
}

/** A case in which the reaper changes a bead that is in progress. */
const reapCase = (
  name: string,
  role: Role,
  to: string,
  prepare: (stage: Stage, id: string) => Promise<void>,
): Case => ({
  name,
  role,
  ...(role === 'leased' ? { needsLeases: true } : {}),
  ours: async (stage, id) => {
    await prepare(stage, id);
    const before = await takeSnapshot(stage.scene.tracker);
    await stage.scene.reap();
    return [step(name, id, before, await takeSnapshot(stage.scene.tracker))];
  },
  bd: async (stage, id, notesOf) => {
    await prepare(stage, id);
    const before = await takeSnapshot(stage.scene.tracker);
    await update(stage.workspace, REAPER, id, to, notesOf(name)[0] ?? '');
    return [step(name, id, before, await takeSnapshot(stage.scene.tracker))];
  },
});

const REFUSED: Reply = { status: 500, json: { error: 'not configured' } };
const UNCLEAR: Reply = { status: 200, json: { done: 'perhaps' } };

export const CASES: readonly Case[] = [
  dispatchCase('dispatched', undefined),
  dispatchCase('failed', REFUSED, 'open'),
  dispatchCase('given-up', REFUSED, 'blocked'),
  dispatchCase('unconfirmed', UNCLEAR),
  reapCase('reaped', 'dispatched', 'blocked', async ({ scene }, id) => {
    await scene.tracker.age(id, 45);
  }),
  reapCase('released', 'released', 'open', async ({ scene, workspace }, id) => {
    await workspace.bd('assign', id, 'agent');
    // A dispatcher that died right after its claim.
    await scene.use(async (beads) => {
      const { open } = await beads.readSnapshot();
      const candidate = open.find(({ bead }) => bead.id === id);
      if (candidate === undefined) throw new Error(`${id} is not open`);
      await beads.transition(claim(candidate.bead, 1));
    });
  }),
  reapCase('reaped, with a lease', 'leased', 'blocked', async ({ scene, workspace }, id) => {
    await workspace.bd('assign', id, 'agent');
    await workspace.bd('update', id, '-s', 'in_progress');
    await scene.tracker.sql('UPDATE issues SET pinned = 1 WHERE id = ?', [id]);
    await scene.tracker.heartbeat(id, 45);
    await scene.tracker.age(id, 45);
  }),
];

async function update(
  workspace: BdWorkspace,
  actor: string,
  id: string,
  to: string | undefined,
  note: string,
): Promise<void> {
  const status = to === undefined ? [] : ['-s', to];
  await workspace.bdAs(actor, 'update', id, ...status, '--append-notes', note);
}

function step(name: string, id: string, before: Snapshot, after: Snapshot): Step {
  const notesIn = ({ tables }: Snapshot) => tables.get('issues')?.get(id)?.['notes'] ?? '';
  const notes = notesIn(after).slice(notesIn(before).length).split('\n');
  return { name, before, after, notes: notes.filter((line) => line !== '') };
}

/** Makes the same beads on a fresh database, by bd alone, with as many fields filled as bd can. */
export async function prepare(workspace: BdWorkspace, scene: Scene): Promise<Stage> {
  const beads = new Map<Role, string>();
  const accept = ['--acceptance', 'It <works> & is "seen".'];
  const filled = ['-d', 'a\tb', '--design', 'c', '-p', '0', '-l', 'web,infra', '-e', '30'];
  for (const role of [...ROLES, 'leased', 'dependent'] as const) {
    beads.set(role, await workspace.create(`Bead ${role}`, ...filled, ...accept));
  }
  const idOf = (role: Role) => beads.get(role) ?? '';
  await workspace.bd('dep', 'add', idOf('dependent'), idOf('failed'));
  await workspace.bd('update', idOf('failed'), '--set-metadata', 'team=a&b');
  await workspace.bd('update', idOf('given-up'), '--external-ref', 'gh-9', '--append-notes', 'x');
  await workspace.bd('close', idOf('dispatched'), '--reason', 'too early', '--session', 'sess-1');
  await workspace.bd('reopen', idOf('dispatched'));
  // What bd's command line does not set, or takes away again.
  const odd = async (role: Role, fields: Readonly<Record<string, string | number | null>>) => {
    await scene.tracker.sql('UPDATE issues SET ? WHERE id = ?', [fields, idOf(role)]);
  };
  await odd('unconfirmed', { closed_by_session: 'sess-1', metadata: null, estimated_minutes: 0 });
  await odd('released', {
    waiters: '["a<b","c"]',
    timeout_ns: '9007199254740993',
    compacted_at: '2026-01-02 03:04:05',
    due_at: '2026-01-02 03:04:05',
    spec_id: '',
    design: 'x\b\f\u007f\u0001é😀',
  });
  await scene.tracker.sql("CALL DOLT_COMMIT('-A', '--skip-empty', '-m', 'odd')");
  return { workspace, scene, beads };
}
