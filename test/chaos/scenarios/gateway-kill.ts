/** kill -9 of the gateway at random instants under 500 readings a second, also while it starts and while the broker is stuck. */
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { sleep } from '../wait.ts';

/** The most that may pass from a start of the gateway to the next ACK. */
const ACKS_WITHIN_MS = 3_000;

export const gatewayKill: Scenario = {
  name: 'gateway-kill',
  fault: 'kill -9 of the gateway under 500 readings/s',
  rounds: { full: 200, short: 10 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context);
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    const failures: string[] = [];
    let worst = 0;
    let early = 0;
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      await strike(rig, chance.chance(0.5) ? chance.between(50, 1_000) : 0, chance.between(0, 1_000));
      rig.gateway.spawn();
      if (chance.chance(0.15)) {
        // Once more before it has got anywhere.
        await sleep(chance.between(0, 800));
        await rig.gateway.kill();
        early++;
        rig.gateway.spawn();
      }
      const gap = await rig.acksAgain(fleet);
      rig.broker.resume();
      worst = Math.max(worst, gap);
      if (gap > ACKS_WITHIN_MS) failures.push(`round ${round + 1}: ${Math.round(gap)} ms until the first ACK`);
      if ((round + 1) % 10 === 0) context.log(`${round + 1} kills, worst ${Math.round(worst)} ms until ACKs`);
    }
    const totals = await fleet.finish();
    await rig.settle();
    const rounds = context.rounds + early;
    return rig.outcome([totals], { rounds, worstAckGapMs: worst, figures: { killed_while_starting: early }, failures });
  },
};

/** Lets it work for `runMs`, the last `stuckMs` of it with a broker that does not answer, and kills it. */
async function strike(rig: Rig, stuckMs: number, runMs: number): Promise<void> {
  await sleep(runMs);
  if (stuckMs > 0) {
    rig.broker.stall();
    await sleep(stuckMs);
  }
  await rig.gateway.kill();
}
