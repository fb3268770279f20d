/** UDP over a network that loses 20 %, doubles 10 % and lets 25 % be overtaken, both ways. */
import { startLossyRelay } from '../lossy-relay.ts';
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';

const RATES = { drop: 0.2, duplicate: 0.1, reorder: 0.25 };
const DEVICES = 50;
const RATE_PER_S = 25;

export const udpLoss: Scenario = {
  name: 'udp-loss',
  fault: 'UDP: 20 % lost, 10 % doubled, 25 % reordered',
  rounds: { full: 1, short: 1 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context);
    await rig.gateway.start();
    const relay = await startLossyRelay(rig.udpPort, RATES, context.random.fork('relay'));
    context.atEnd(() => relay.close());
    const count = (context.short ? 5_000 : 100_000) / DEVICES;
    const links = ['--udp', `127.0.0.1:${relay.port}`];
    const fleet = rig.fleet({ name: 'fleet', links, devices: DEVICES, ratePerS: RATE_PER_S, count, drainS: 600 });
    const totals = await fleet.ended();
    await rig.settle();
    const { duplicates, received } = rig.oracle.verdict();
    const failures: string[] = [];
    if (duplicates > 0) failures.push(`${duplicates} duplicates were published`);
    if (received !== totals.sent) failures.push(`${received} readings of ${totals.sent} were received`);
    const figures = { ...relay.counts, retransmitted: totals.retransmitted };
    return rig.outcome([totals], { rounds: context.rounds, figures, failures });
  },
};
