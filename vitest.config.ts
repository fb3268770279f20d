import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // System tests start real programs; the limit is a guard against hanging, not a measure of speed.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
