import type { TestProject } from 'vitest/node';

import { DoltServer } from './world/dolt.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * Ports of the Dolt servers, one for each worker; test files have databases of their own on
     * them.
     */
    doltPorts: readonly number[];
  }
}

/**
 * One server each: Dolt (1.88.1) fails now and then when databases are made and dropped side by
 * side.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const autocommit = project.name !== 'no-autocommit';
  const { maxWorkers } = project.config;
  const servers = await Promise.all(
    Array.from({ length: maxWorkers }, () => DoltServer.start({ autocommit })),
  );
  project.provide(
    'doltPorts',
    servers.map(({ port }) => port),
  );
  return async () => {
    await Promise.all(servers.map((server) => server.remove()));
  };
}
