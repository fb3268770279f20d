/** Every answer of the broker takes two seconds: the devices' ACKs must not wait for it. */
import { startDelayProxy } from '../delay-proxy.ts';
import { LinkProbe } from '../link-probe.ts';
import { Rig, startBroker } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { sleep } from '../wait.ts';

const DELAY_MS = 2_000;
/** A sync and its interval, and a busy machine. */
const MAX_ACK_MS = 1_000;
const EVERY_MS = 100;

export const slowPuback: Scenario = {
  name: 'slow-puback',
  fault: 'PUBACK delayed by 2 s',
  rounds: { full: 300, short: 60 },
  async run(context: Context): Promise<Outcome> {
    const broker = await startBroker(context);
    const proxy = await startDelayProxy(broker.port);
    context.atEnd(() => proxy.close());
    const rig = await Rig.open(context, { brokerPort: proxy.port }, broker);
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    await sleep(1_000);
    proxy.delayMs = DELAY_MS;
    const probe = await LinkProbe.open(rig.probeId(1n), rig.tcpPort);
    context.atEnd(() => probe.close());
    const latencies: number[] = [];
    for (let round = 0; round < context.rounds; round++) {
      latencies.push(await probe.reading());
      rig.oracle.acknowledged(probe.device, String(probe.boot), probe.seq);
      await sleep(EVERY_MS);
    }
    const totals = await fleet.finish();
    // The rest at full speed: with its window full every two seconds it would take minutes.
    proxy.delayMs = 0;
    await rig.settle();
    const sorted = latencies.toSorted((a, b) => a - b);
    const worst = sorted.at(-1) ?? Number.POSITIVE_INFINITY;
    const failures = worst > MAX_ACK_MS ? [`an ACK took ${Math.round(worst)} ms`] : [];
    const figures = {
      ack_ms_median: Math.round(sorted[sorted.length >> 1] ?? 0),
      ack_ms_worst: Math.round(worst),
    };
    return rig.outcome([totals], { rounds: context.rounds, worstAckGapMs: worst, figures, failures });
  },
};
