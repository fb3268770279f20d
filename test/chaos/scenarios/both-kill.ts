/** kill -9 of the gateway and of mosquitto, a moment apart at most, and either of them comes back first. */
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep } from '../wait.ts';
import { killWithQueue } from './broker-kill.ts';

const ACKS_WITHIN_MS = 3_000;

export const bothKill: Scenario = {
  name: 'both-kill',
  fault: 'kill -9 of the gateway and mosquitto at once',
  rounds: { full: 50, short: 3 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context);
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    const failures: string[] = [];
    let worst = 0;
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      await sleep(chance.between(0, 2_500));
      if (chance.chance(0.7)) rig.subscriber.leave();
      await sleep(chance.between(0, 1_500));
      const apart = chance.between(-20, 20);
      const killBroker = sleep(Math.max(0, apart)).then(() => killWithQueue(rig, 0));
      const killGateway = sleep(Math.max(0, -apart)).then(() => rig.gateway.kill());
      await Promise.all([killBroker, killGateway]);
      const brokerAt = chance.between(0, 1_500);
      rig.gateway.spawn();
      const brokerBack = sleep(brokerAt).then(() => rig.broker.start());
      const gap = await rig.acksAgain(fleet);
      await brokerBack;
      rig.subscriber.comeBack();
      worst = Math.max(worst, gap);
      if (gap > ACKS_WITHIN_MS) failures.push(`round ${round + 1}: ${Math.round(gap)} ms until the first ACK`);
      const before = rig.oracle.receivedCount;
      await must('readings arrive again', () => rig.oracle.receivedCount > before, 30_000);
      if ((round + 1) % 10 === 0) context.log(`${round + 1} kills, worst ${Math.round(worst)} ms until ACKs`);
    }
    const totals = await fleet.finish();
    await rig.settle();
    return rig.outcome([totals], { rounds: context.rounds, worstAckGapMs: worst, failures });
  },
};
