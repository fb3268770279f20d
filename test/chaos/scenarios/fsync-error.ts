/** fsync fails with EIO: once, which must not be noticed outside, and for a while. */
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep } from '../wait.ts';

const RESUMES_WITHIN_MS = 5_000;

export const fsyncError: Scenario = {
  name: 'fsync-error',
  fault: 'EIO on fsync, once and for a while',
  rounds: { full: 20, short: 2 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context, { preload: true });
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    const failures: string[] = [];
    let worst = 0;
    for (let round = 0; round < context.rounds; round++) {
      const chance = context.random.fork('round').fork(round);
      await sleep(chance.between(500, 1_500));
      const struckBefore = rig.gateway.struck.fsync;
      const once = round % 2 === 0;
      rig.gateway.control({ fsync: 'EIO', ...(once && { fsyncTimes: 1 }) });
      await must('an fsync fails', () => rig.gateway.struck.fsync > struckBefore, 10_000);
      if (!once) {
        await sleep(chance.between(1_000, 3_000));
        rig.gateway.control({ fsync: '' });
      }
      const endedAt = performance.now();
      const before = fleet.acks.count;
      await must(`ACKs flow again\n${rig.gateway.lastLog()}`, () => fleet.acks.count > before, 30_000, 5);
      const gap = performance.now() - endedAt;
      worst = Math.max(worst, gap);
      if (gap > RESUMES_WITHIN_MS) failures.push(`round ${round + 1}: ${Math.round(gap)} ms until the first ACK`);
      if (chance.chance(0.5)) {
        // What was acknowledged since then must be found by the next start.
        await sleep(chance.between(0, 300));
        await rig.gateway.kill();
        rig.gateway.spawn();
        await rig.acksAgain(fleet);
      }
    }
    const totals = await fleet.finish();
    await rig.settle();
    return rig.outcome([totals], { rounds: context.rounds, worstAckGapMs: worst, failures });
  },
};
