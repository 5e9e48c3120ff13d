import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    /** Nothing here waits for luck; a test that takes this long hangs. */
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
