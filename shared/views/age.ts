/** @returns whole seconds from one time to another; 0 for one that is yet to come. */
export const ageSeconds = (from: Date, now: Date): number =>
  Math.max(0, Math.floor((now.getTime() - from.getTime()) / 1000));
