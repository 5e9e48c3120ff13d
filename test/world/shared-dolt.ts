import { inject } from 'vitest';

/** The port of the Dolt server of this worker. */
export function sharedDoltPort(): number {
  const ports = inject('doltPorts');
  const worker = Number(process.env['VITEST_POOL_ID'] ?? 1);
  const port = ports[(worker - 1) % ports.length];
  if (port === undefined) throw new Error('test/global-setup.ts started no Dolt server');
  return port;
}
