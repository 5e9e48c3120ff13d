import { readFileSync, statSync } from 'node:fs';

import { SettingsError } from '../runtime/errors.ts';

/**
 * Secrets from files, as Kubernetes, systemd and OpenFaaS mount them: `NAME_FILE` names the file of
 * `NAME`. A file is seen by the process alone; a variable by whoever may look at the process.
 */

/** The longest secret known, a key of 16 KiB, fits four times; a wrong file does not. */
const MOST_BYTES = 65_536;

/**
 * @param secrets names of the variables that hold a secret.
 * @returns the environment with their values in it.
 * @throws {SettingsError} the file cannot be read, is empty or too large, or the value is given
 *   twice.
 */
export function withSecretFiles(
  env: NodeJS.ProcessEnv,
  secrets: readonly string[],
): NodeJS.ProcessEnv {
  const found = secrets.flatMap((name) => {
    const path = env[`${name}_FILE`];
    if (!path) return [];
    if (env[name]) {
      throw new SettingsError(`${name} and ${name}_FILE are both set; set one of them`);
    }
    return [[name, read(`${name}_FILE`, path)]];
  });
  return { ...env, ...Object.fromEntries(found) };
}

function read(variable: string, path: string): string {
  const wrong = (problem: string, cause?: unknown) =>
    new SettingsError(`${variable} is ${JSON.stringify(path)}; ${problem}`, { cause });
  let content: string;
  try {
    if (statSync(path).size > MOST_BYTES)
      throw wrong(`it takes a file of ${MOST_BYTES} bytes at most`);
    // Editors and `echo` end a file with a line break, which is no part of a secret.
    content = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw wrong('it takes a file that can be read', error);
  }
  if (content === '') throw wrong('it takes a file that is not empty');
  return content;
}
