import { describe, expect, it } from 'vitest';
import type { Cut } from '../../helpers/crash-fs.ts';
import { cutEverywhere } from './power-cut.ts';

/** More runs than usual: POWER_CUT_RUNS=100 npx vitest run test/gateway/journal/power-cut.test.ts */
const RUNS = Number(process.env['POWER_CUT_RUNS'] ?? 4);
const CUTS = ['torn', 'lost', 'torn', 'kept'] as const;

describe('after a power cut', () => {
  it.each<[Cut, number]>(Array.from({ length: RUNS }, (_, i) => [CUTS[i % CUTS.length]!, i + 1]))(
    'at any operation, with what was not synced %s, nothing acknowledged is missing (seed %i)',
    async (cut, seed) => {
      const { cuts, kinds } = await cutEverywhere(2_000, seed, cut);
      expect(cuts).toBeGreaterThan(500);
      // What has to be in the run for it to prove anything.
      expect([...kinds]).toEqual(expect.arrayContaining(['rename', 'sync-directory', 'create', 'write']));
    },
    120_000,
  );
});
