import type { TrackedBead } from '../../test/world/tracker.ts';
import { lastNote } from '../words.ts';
import type { Command } from './command.ts';

/** What people do with beads. */

const HIGHEST = 0;
const LOWEST = 4;

export const BEAD_COMMANDS: Readonly<Record<string, Command>> = {
  create: {
    usage: 'create <title>',
    help: 'a bead with acceptance criteria, assigned to agent',
    run: async (playground, ...words) => {
      const id = playground.nextId();
      const title = words.join(' ') || 'A bead';
      await playground.world.tracker.create(id, { title, assignee: 'agent' });
      playground.print(`${id} is open and assigned to agent`);
    },
  },
  assign: {
    usage: 'assign <bead> [who]',
    help: 'to agent, to a person, or to nobody: takes it back',
    completes: ['bead', ['agent', 'ann']],
    run: async (playground, id = '', who = '') => {
      await playground.change(id, (tracker) => tracker.assign(id, who));
    },
  },
  depend: {
    usage: 'depend <bead> <other>',
    help: 'the bead waits until the other one is closed',
    completes: ['bead', 'bead'],
    run: async (playground, id = '', on = '') => {
      await playground.world.tracker.show(on);
      await playground.change(id, (tracker) => tracker.depend(id, on, 'blocks'));
    },
  },
  defer: {
    usage: 'defer <bead> [minutes]',
    help: 'not before so many minutes from now; 60 by default',
    completes: ['bead'],
    run: async (playground, id = '', minutes = '60') => {
      if (!/^\d+$/.test(minutes)) throw new Error(`${minutes} is no number of minutes`);
      const until = new Date(Date.now() + Number(minutes) * 60_000);
      const sqlTime = until.toISOString().slice(0, 19).replace('T', ' ');
      await playground.change(id, (tracker) => tracker.update(id, { defer_until: sqlTime }));
    },
  },
  priority: {
    usage: 'priority <bead> <0–4>',
    help: '0 is the most urgent',
    completes: ['bead', ['0', '1', '2', '3', '4']],
    run: async (playground, id = '', wanted = '') => {
      const priority = Number(wanted);
      if (!/^\d$/.test(wanted) || priority < HIGHEST || priority > LOWEST)
        throw new Error(`a priority is a number from ${HIGHEST} to ${LOWEST}`);
      await playground.change(id, (tracker) => tracker.update(id, { priority }));
    },
  },
  reopen: {
    usage: 'reopen <bead>',
    help: 'open again, with a fresh count of attempts',
    completes: ['bead'],
    run: async (playground, id = '') => {
      await playground.change(id, (tracker) => tracker.update(id, { status: 'open' }));
    },
  },
  note: {
    usage: 'note <bead> <text>',
    help: 'progress, as an agent or a person notes it',
    completes: ['bead'],
    run: async (playground, id = '', ...words) => {
      if (words.length === 0) throw new Error('a note has some text');
      await playground.change(id, (tracker) => tracker.note(id, words.join(' ')));
    },
  },
  list: {
    usage: 'list',
    help: 'all beads with their last note',
    run: async (playground) => {
      const beads = await playground.world.tracker.list();
      for (const bead of beads) playground.print(beadLine(bead));
      if (beads.length === 0) playground.print('there is no bead yet; try: create Say hello');
    },
  },
  show: {
    usage: 'show <bead>',
    help: 'one bead with all its notes',
    completes: ['bead'],
    run: async (playground, id = '') => {
      const bead = await playground.world.tracker.show(id);
      playground.print(beadLine(bead));
      for (const note of bead.notes.split('\n')) playground.print(`  ${note}`);
    },
  },
};

export function beadLine({ id, status, assignee, title, notes }: TrackedBead): string {
  return `${id.padEnd(8)} ${status.padEnd(11)} ${(assignee ?? '').padEnd(7)} ${lastNote(notes) || title}`;
}
