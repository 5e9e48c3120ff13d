import type { KindName } from './suspension.ts';

/** What asks the functions for ticks, by the names that the manifests give. */
export interface Part {
  function: 'dispatch' | 'reap';
  kind: KindName;
  name: string;
}

export const PARTS: readonly Part[] = [
  { function: 'dispatch', kind: 'PingSource', name: 'beads-dispatch' },
  { function: 'dispatch', kind: 'Trigger', name: 'beads-wake-dispatch' },
  { function: 'reap', kind: 'PingSource', name: 'beads-reap' },
  { function: 'reap', kind: 'Trigger', name: 'beads-wake-reap' },
];

/** The ConfigMap with the settings of both functions, the one with bd's file, and their Secret. */
export const SETTINGS = 'beads-settings';
export const METADATA = 'beads-metadata';
export const SECRETS = 'beads-secrets';
