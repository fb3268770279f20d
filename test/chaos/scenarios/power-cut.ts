/** The power is cut at every operation of a run of the journal, over a file system in memory that tears sectors. */
import type { Cut } from '../../helpers/crash-fs.ts';
import { cutEverywhere } from '../../gateway/journal/power-cut.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';

const RECORDS = 2_000;
const CUTS: readonly Cut[] = ['torn', 'lost', 'kept'];

export const powerCut: Scenario = {
  name: 'power-cut',
  fault: 'power cut at every write and sync of 2,000 records, torn sectors',
  rounds: { full: 30, short: 3 },
  async run(context: Context): Promise<Outcome> {
    const failures: string[] = [];
    let cuts = 0;
    let starts = 0;
    for (let round = 0; round < context.rounds; round++) {
      const seed = context.random.fork('run').fork(round).u32();
      const cut = CUTS[round % CUTS.length] as Cut;
      try {
        const counts = await cutEverywhere(RECORDS, seed, cut);
        cuts += counts.cuts;
        starts += counts.starts;
      } catch (error) {
        failures.push(`seed ${seed}, ${cut}: ${String(error)}`);
      }
    }
    const readings = RECORDS * context.rounds;
    return {
      rounds: cuts,
      readings,
      acknowledged: readings,
      missing: failures.length,
      duplicates: 0,
      foreign: 0,
      worstAckGapMs: undefined,
      figures: { starts, failed_starts_or_missing: failures.length },
      failures,
    };
  },
};
