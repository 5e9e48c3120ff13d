/** Who bd says it was. */
export const DISPATCHER = 'beads-dispatcher';
export const REAPER = 'beads-reaper';
