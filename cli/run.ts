import type { Command } from 'commander';

import { errorMessage } from '../shared/runtime/errors.ts';

/** Runs a command line; an error is one line on stderr and exit code 1. */
export async function run(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(`Error: ${errorMessage(error)}\n`);
    process.exitCode = 1;
  }
}
