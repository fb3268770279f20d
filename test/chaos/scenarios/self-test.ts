/**
 * The oracle at work on a gateway that must fail: with `durability: memory` everything that a stuck broker has not
 * taken is lost by kill -9. This row passes when the oracle says so.
 */
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { sleep } from '../wait.ts';

export const selfTest: Scenario = {
  name: 'self-test',
  fault: 'self-test: a journal in memory must fail',
  rounds: { full: 1, short: 1 },
  async run(given: Context): Promise<Outcome> {
    const rig = await Rig.open({ ...given, durability: 'memory' });
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    rig.broker.stall();
    await sleep(1_000);
    await rig.gateway.kill();
    rig.broker.resume();
    rig.gateway.spawn();
    await rig.acksAgain(fleet);
    const totals = await fleet.finish();
    // Missing it stays: there is nothing to wait for.
    await sleep(3_000);
    const outcome = rig.outcome([totals], { rounds: 1, failures: [] });
    const failures = outcome.missing > 0 ? [] : ['a journal in memory was killed and the oracle missed nothing'];
    return { ...outcome, missing: 0, figures: { found_missing: outcome.missing }, failures };
  },
};
