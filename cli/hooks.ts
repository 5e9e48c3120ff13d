import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * bd's hooks: scripts that bd starts after a write, with the bead's JSON on stdin. Ours asks for a
 * tick. An accelerator for workspaces without a watcher (docs/decisions/0008), which is why it
 * stays: bd starts none for `--claim`, for what others write with SQL, and with BD_NO_HOOKS.
 */

const HOOKS = ['on_create', 'on_update', 'on_close'];
const MARK = '# Installed by `kn beads hooks`.';

/**
 * A bead whose JSON is longer than this is not looked at to its end; the watch sees it all the
 * same.
 */
const MOST_BYTES = 65_536;

function script(url: string, assignee: string): string {
  return `#!/bin/sh
${MARK} Asks the dispatcher for a tick when a bead of the agent was written.
head -c ${MOST_BYTES} | grep -Fq -e '"assignee":"${assignee}"' -e '"assignee": "${assignee}"' || exit 0
curl --silent --max-time 9 --output /dev/null --request POST '${url}' \\
  --header 'ce-specversion: 1.0' --header 'ce-type: io.beads.dispatch.due.v1' \\
  --header 'ce-source: /beads/hooks' --header 'ce-subject: dispatch' --header "ce-id: $1-$2-$$-$(date +%s)" \\
  --header 'content-type: application/json' --data '{"reason":"changed","beads":1}' || true
`;
}

export interface HooksOptions {
  /** bd's folder, as a rule `.beads`. */
  dir: string;
  /** Where wake-ups are posted. */
  url: string;
  /** Whose beads are dispatched. */
  assignee: string;
  /** Replaces hooks that somebody else wrote. */
  force?: boolean;
}

/**
 * Writes the three hooks; again and again with the same result.
 * @returns what was done, a line each.
 * @throws when there is no such folder, or a hook that is not ours.
 */
export async function installHooks({
  dir,
  url,
  assignee,
  force = false,
}: HooksOptions): Promise<string[]> {
  if (!/^https?:\/\/[^'\s]+$/.test(url))
    throw new Error(`--url is ${url}; it takes an http address`);
  if (!/^[\w.@-]+$/.test(assignee)) throw new Error(`--assignee is ${assignee}; it takes a name`);
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new Error(`there is no folder ${dir}; name bd's with --dir`);
  const paths = HOOKS.map((hook) => join(dir, 'hooks', hook));
  for (const path of paths) {
    const there = await readFile(path, 'utf8').catch(() => undefined);
    if (there !== undefined && !there.includes(MARK) && !force) {
      throw new Error(`${path} is not ours; --force replaces it`);
    }
  }
  await mkdir(join(dir, 'hooks'), { recursive: true });
  for (const path of paths) {
    await writeFile(path, script(url, assignee));
    await chmod(path, 0o755);
  }
  return paths.map((path) => `${path} asks for a tick at ${url}`);
}
