import type { TestProject } from 'vitest/node';

import { DoltServer } from './world/dolt.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Port of the Dolt server that all test files share, each with databases of its own. */
    doltPort: number;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dolt = await DoltServer.start({ autocommit: project.name !== 'no-autocommit' });
  project.provide('doltPort', dolt.port);
  return async () => {
    await dolt.remove();
  };
}
