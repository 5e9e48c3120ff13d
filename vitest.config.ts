import { defineConfig } from 'vitest/config';

/** What is run a second time, on a server whose sessions start without autocommit. */
const ON_ANY_SERVER = ['dispatch', 'crash', 'outbox', 'reap', 'properties', 'wake-up'];

const common = {
  globalSetup: ['test/global-setup.ts'],
  /**
   * Files share one Dolt server, each with databases of its own; more at once than cores help
   * nothing.
   */
  maxWorkers: 2,
  /** Nothing here waits for luck; a test that takes this long hangs. */
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'default', include: ['test/**/*.test.ts'] } },
      {
        test: {
          ...common,
          name: 'no-autocommit',
          include: ON_ANY_SERVER.map((name) => `test/${name}.test.ts`),
        },
      },
    ],
  },
});
