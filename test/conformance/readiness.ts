import * as z from 'zod';

import { decideDispatch } from '../../shared/rules/eligibility.ts';
import { DEFAULT_POLICY } from '../world/scene.ts';
import type { Stage } from './scenario.ts';

/** Makes beads for the agent that wait for something, in all ways that bd's command line has. */
export async function prepareWaiting({ workspace }: Stage): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  const create = async (name: string, ...args: string[]) => {
    const id = await workspace.create(`Ready? ${name}`, '--acceptance', 'It works.', ...args);
    await workspace.bd('assign', id, 'agent');
    ids.set(id, name);
    return id;
  };
  const parentOf = async (name: string, ...args: string[]) => {
    const id = await workspace.create(`Parent of ${name}`, '-t', 'epic', ...args);
    ids.set(id, `parent of ${name}`);
    return id;
  };
  const blocker = await workspace.create('Blocker');
  const done = await workspace.create('Done');
  await create('plain');
  await create('urgent', '-p', '0');
  await create('an epic', '-t', 'epic');
  await workspace.bd('dep', 'add', await create('blocked'), blocker);
  await workspace.bd('dep', 'add', await create('unblocked'), done);
  await workspace.bd('close', done, '--reason', 'done');
  await workspace.bd('dep', 'add', await create('related'), blocker, '-t', 'related');
  await workspace.bd('dep', 'add', await create('discovered'), blocker, '-t', 'discovered-from');
  await create('deferred', '--defer', '+2d');
  await create('ephemeral', '--ephemeral');
  const blockedParent = await parentOf('blocked');
  const blockingEpic = await workspace.create('Blocking epic', '-t', 'epic');
  await workspace.bd('dep', 'add', blockedParent, blockingEpic);
  await create('child of blocked', '--parent', blockedParent);
  const deferredParent = await parentOf('deferred', '--defer', '+2d');
  await create('child of deferred', '--parent', deferredParent);
  const parent = await parentOf('plain');
  await create('child of plain', '--parent', parent);
  return ids;
}

const ready = z.array(z.object({ id: z.string(), status: z.string() }));

/** The names of those that bd calls ready, and of those that a tick would take, both sorted. */
export async function readyByBothOf(
  { workspace, scene }: Stage,
  names: ReadonlyMap<string, string>,
) {
  const listed = await workspace.bd('ready', '--assignee', 'agent', '--limit', '500', '--json');
  const byBd = ready
    .parse(JSON.parse(listed))
    .filter(({ status }) => status === 'open')
    .map(({ id }) => names.get(id));
  const looked = await scene.use(async (beads) => await beads.readSnapshot());
  const { eligible } = decideDispatch(looked, { ...DEFAULT_POLICY, maxDispatchesPerTick: 500 });
  const byUs = eligible.map(({ bead }) => names.get(bead.id));
  const named = (list: (string | undefined)[]) =>
    list.filter((name) => name !== undefined).toSorted();
  return { byBd: named(byBd), byUs: named(byUs) };
}
