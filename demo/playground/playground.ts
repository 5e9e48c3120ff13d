import type { Tracker } from '../../test/world/tracker.ts';
import type { World } from '../../test/world/world.ts';
import { beadLine, BEAD_COMMANDS } from './beads.ts';
import type { Command } from './command.ts';
import { PART_COMMANDS } from './parts.ts';
import { TICK_COMMANDS } from './ticks.ts';

/** The demo's world with commands for everything in it, one line each. */
export class Playground {
  readonly world: World;
  readonly #write: (line: string) => void;
  readonly #printed: string[] = [];
  #created = 0;

  readonly commands: Readonly<Record<string, Command>> = {
    ...BEAD_COMMANDS,
    ...TICK_COMMANDS,
    ...PART_COMMANDS,
    expect: {
      usage: 'expect <text>',
      help: 'for scripts: the last command must have printed it',
      run: (_, ...words) => {
        this.#expect(words.join(' '));
      },
    },
  };

  /** @param write puts a line on the screen. */
  constructor(world: World, write: (line: string) => void) {
    this.world = world;
    this.#write = write;
  }

  print(line: string): void {
    this.#printed.push(line);
    this.#write(`  ${line}`);
  }

  nextId(): string {
    this.#created += 1;
    return `code-${this.#created}`;
  }

  /** Changes a bead as a person does, and shows what became of it. */
  async change(id: string, act: (tracker: Tracker) => Promise<void>): Promise<void> {
    const { tracker } = this.world;
    await tracker.show(id);
    await act(tracker);
    this.print(beadLine(await tracker.show(id)));
  }

  /** Runs one line. @throws with what is wrong, in words. */
  async obey(line: string): Promise<void> {
    const [name = '', ...words] = line.trim().split(/\s+/);
    if (name === '' || name.startsWith('#')) return;
    const command = Object.hasOwn(this.commands, name) ? this.commands[name] : undefined;
    if (command === undefined) throw new Error(`no such command: ${name} (try help)`);
    if (name !== 'expect') this.#printed.length = 0;
    await command.run(this, ...words);
  }

  /** What can follow a line that is being typed: for the completion of readline. */
  async complete(line: string): Promise<[string[], string]> {
    const words = line.split(/\s+/);
    const typed = words.at(-1) ?? '';
    const choices = await this.#choices(words);
    return [choices.filter((choice) => choice.startsWith(typed)), typed];
  }

  async #choices(words: readonly string[]): Promise<readonly string[]> {
    if (words.length <= 1) return [...Object.keys(this.commands), 'help', 'quit'];
    const place = this.commands[words[0] ?? '']?.completes?.[words.length - 2];
    if (place !== 'bead') return place ?? [];
    return (await this.world.tracker.list()).map(({ id }) => id);
  }

  #expect(wanted: string): void {
    if (this.#printed.some((line) => line.includes(wanted))) return;
    throw new Error(`expected "${wanted}", but got:\n${this.#printed.join('\n')}`);
  }
}
