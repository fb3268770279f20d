/**
 * kill -9 of mosquitto at random instants. It saves once a second, so each time it comes back without what it had
 * accepted last, for the subscriber's queue as well as for the retained watermark.
 */
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep } from '../wait.ts';

/** ACKs depend on the journal alone: no gap beyond this, broker or not. */
const ACK_GAP_MS = 1_000;

export const brokerKill: Scenario = {
  name: 'broker-kill',
  fault: 'kill -9 of mosquitto (persistence on, autosave 1 s)',
  rounds: { full: 50, short: 3 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context);
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    fleet.acks.resetGap();
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      await sleep(chance.between(0, 2_500));
      await killWithQueue(rig, chance.chance(0.7) ? chance.between(0, 2_500) : 0);
      await sleep(chance.between(0, 700));
      await rig.broker.start();
      rig.subscriber.comeBack();
      const before = rig.oracle.receivedCount;
      await must('readings arrive again', () => rig.oracle.receivedCount > before, 30_000);
      if ((round + 1) % 10 === 0) context.log(`${round + 1} kills`);
    }
    const worstAckGapMs = fleet.acks.worstGapMs;
    const totals = await fleet.finish();
    await rig.settle();
    const failures = worstAckGapMs > ACK_GAP_MS ? [`no ACK for ${Math.round(worstAckGapMs)} ms`] : [];
    return rig.outcome([totals], { rounds: context.rounds, worstAckGapMs, failures });
  },
};

/**
 * What the subscriber has taken cannot be lost any more: so it leaves first, and what is accepted in the meantime is in
 * the broker's queue, of which the newest part dies with the broker.
 */
export async function killWithQueue(rig: Rig, queuedMs: number): Promise<void> {
  rig.subscriber.leave();
  await sleep(queuedMs);
  await rig.broker.kill();
}
