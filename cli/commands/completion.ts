import { Argument, type Command } from 'commander';

import { withDatabase } from '../database.ts';
import { print } from '../output.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** Commands whose arguments are beads. */
const WITH_IDS: ReadonlySet<string> = new Set(['why', 'history', 'retry', 'release', 'wait']);

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description(
      'Prints a completion script, for example: source <(beads-dispatch completion bash)',
    )
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => {
      print(SCRIPTS[shell]);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words: string[]) => {
      for (const word of await candidates(program, words)) print(word);
    });
}

/** @param words what stands behind the program's name; the last one is being typed. */
async function candidates(program: Command, words: readonly string[]): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  if (words.length <= 1) {
    const names = program.commands.map((command) => command.name());
    return names.filter((name) => name.startsWith(typed) && !name.startsWith('_'));
  }
  if (!WITH_IDS.has(words[0] ?? '')) return [];
  try {
    return await withDatabase(async ({ beads, inspector }) => {
      const { open, inProgress } = await beads.readSnapshot();
      const all = [
        ...open.map(({ bead }) => bead),
        ...inProgress,
        ...(await inspector.overview()).blocked,
      ];
      return all.map(({ id }) => id).filter((id) => id.startsWith(typed));
    });
  } catch {
    // A completion has nothing to say when the database cannot be read.
    return [];
  }
}

const SCRIPTS = {
  bash: `_beads_dispatch() {
  COMPREPLY=($("$1" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -F _beads_dispatch beads-dispatch kn-beads kubectl-beads`,
  zsh: `#compdef beads-dispatch kn-beads kubectl-beads
_beads_dispatch() {
  compadd -- \${(f)"$("$words[1]" __complete "\${words[@]:1:CURRENT-1}" 2>/dev/null)"}
}
compdef _beads_dispatch beads-dispatch kn-beads kubectl-beads`,
  fish: `for name in beads-dispatch kn-beads kubectl-beads
  complete -c $name -f -a '(eval (commandline -opc)[1] __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
end`,
} as const;
