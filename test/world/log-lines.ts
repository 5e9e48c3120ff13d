import * as z from 'zod';

/** What the log lines of a dispatcher say, for tests, demo and playground. */

type Line = Readonly<Record<string, unknown>>;

const skipLine = z.object({
  skipped: z.array(z.object({ id: z.string(), message: z.string() })),
});

/** The beads that the dispatcher's log says were skipped, with the reason, oldest line first. */
export function skippedIn(log: readonly Line[]): { id: string; message: string }[] {
  return log.flatMap((line) => skipLine.safeParse(line).data?.skipped ?? []);
}

const stopLine = z.object({ nextBead: z.string(), message: z.string() });

/** Why ticks ended although a bead waited, as the dispatcher's log says. */
export function stopped(log: readonly Line[]): { nextBead: string; message: string }[] {
  return log.flatMap((line) => stopLine.safeParse(line).data ?? []);
}
