/**
 * A device goes silent and its connection stays open, as after a pulled cable: the gateway must find out within 75 s of
 * its monotonic clock, which runs fast here. Another device keeps talking and must not be touched by it.
 */
import mqtt from 'mqtt';
import { LinkProbe } from '../link-probe.ts';
import { Rig } from '../rig.ts';
import type { Context, Outcome, Scenario } from '../scenario.ts';
import { must, sleep } from '../wait.ts';

const FOUND_WITHIN_S = 75;
/** The clock is set forward by this much at a time. */
const STEP_MS = 500;
const REAL_STEP_MS = 20;
/** The answer comes through the broker while the clock runs fast. */
const MEASURED_WITHIN_S = 2;

export const halfOpen: Scenario = {
  name: 'half-open',
  fault: 'half-open TCP: a silent device (fast clock)',
  rounds: { full: 3, short: 1 },
  async run(context: Context): Promise<Outcome> {
    const rig = await Rig.open(context, { preload: true });
    await rig.gateway.start();
    const fleet = rig.standardFleet();
    await rig.acksAgain(fleet);
    const watcher = await mqtt.connectAsync(rig.broker.url);
    context.atEnd(() => watcher.endAsync(true));
    const availability = new Map<string, string>();
    watcher.on('message', (topic, payload) => void availability.set(topic, payload.toString()));
    await watcher.subscribeAsync('chaos/+/availability');

    const failures: string[] = [];
    let shiftMs = 0;
    let slowest = 0;
    for (let round = 0; round < context.rounds; round++) {
      const probe = await LinkProbe.open(rig.probeId(BigInt(round + 1)), rig.tcpPort);
      context.atEnd(() => probe.close());
      await probe.reading();
      rig.oracle.acknowledged(probe.device, String(probe.boot), probe.seq);
      const topic = `chaos/${probe.device}/availability`;
      await must('the silent device is online', () => availability.get(topic) === 'online', 10_000);
      const silentSince = performance.now() + shiftMs;
      const limitMs = (FOUND_WITHIN_S + 15) * 1_000;
      while (availability.get(topic) === 'online' && performance.now() + shiftMs < silentSince + limitMs) {
        shiftMs += STEP_MS;
        rig.gateway.control({ monotonicShiftMs: shiftMs });
        await sleep(REAL_STEP_MS);
      }
      const seconds = (performance.now() + shiftMs - silentSince) / 1_000;
      slowest = Math.max(slowest, seconds);
      if (availability.get(topic) !== 'offline') failures.push('the silent device was not found');
      else if (seconds > FOUND_WITHIN_S + MEASURED_WITHIN_S)
        failures.push(`the silent device was found after ${seconds.toFixed(1)} s`);
      await must('its connection is closed', () => probe.closed, 5_000);
    }
    const others = fleet.expected.devices.filter(
      (device) => availability.get(`chaos/${device}/availability`) !== 'online',
    );
    if (others.length > 0) failures.push(`${others.length} devices that were never silent are not online`);
    const totals = await fleet.finish();
    await rig.settle();
    return rig.outcome([totals], { rounds: context.rounds, figures: { found_after_s: slowest.toFixed(1) }, failures });
  },
};
