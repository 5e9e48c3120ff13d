import { defineConfig } from 'vitest/config';

/** The pure parts alone, without a Dolt server: what Stryker runs for each mutant. */
export default defineConfig({ test: { include: ['test/unit/**/*.test.ts'] } });
