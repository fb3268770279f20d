/** One measurement of one case: as many frames as the way takes. */
import { type Broker, startBroker } from './brokers.ts';
import type { Case } from './cases.ts';
import { Child } from './child.ts';
import type { LoadReport } from './load.ts';
import { type Relay, startRelay } from './relays.ts';

export interface Throughput {
  /** Arrived at the broker (or at its subscriber). */
  readonly framesPerS: number;
  /** CPU microseconds of the relay's process for each of them. */
  readonly cpuUsPerFrame: number;
  /** CPU seconds of the relay a second: 1 is a whole core. */
  readonly cpuLoad: number;
  /** Frames acknowledged in all, warm-up included, that had not arrived at the broker in the end. */
  readonly lost: number;
  /** Frames that arrived more than once. */
  readonly twice: number;
  readonly resent: number;
  readonly busy: number;
}

export interface Durations {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

const WINDOW = 32;
/** What was acknowledged is waited for as long as more arrives within this time. */
const ARRIVAL_MS = 2_000;

export async function measureThroughput(spec: Case, { warmUpMs, measureMs }: Durations): Promise<Throughput> {
  let broker: Broker | undefined;
  let relay: Relay | undefined;
  const load = Child.startQuiet('load');
  try {
    broker = await startBroker(spec.broker);
    relay = await startRelay(spec.relay, broker.port, spec.qos);
    const transport = spec.relay === 'gateway' ? spec.transport : 'plain';
    const port = transport === 'udp' ? relay.ports.udp : relay.ports.tcp;
    await load.ask({ open: { transport, port, devices: spec.devices, window: WINDOW } });
    load.send({ start: true });
    await pause(warmUpMs);
    const from = await look(relay, broker);
    await pause(measureMs);
    const to = await look(relay, broker);
    await load.ask({ stop: true });
    const { acknowledged, resent, busy } = await load.ask<LoadReport>({ report: true });
    const arrived = await allArrived(broker, acknowledged);
    const seconds = (to.at - from.at) / 1_000;
    const frames = to.readings - from.readings;
    const cpuUs = to.cpuUs - from.cpuUs;
    return {
      framesPerS: frames / seconds,
      cpuUsPerFrame: cpuUs / frames,
      cpuLoad: cpuUs / 1e6 / seconds,
      lost: Math.max(0, acknowledged - arrived),
      twice: Math.max(0, arrived - acknowledged),
      resent,
      busy,
    };
  } finally {
    // The devices first: for them a lost connection is an error.
    await load.end();
    await relay?.end();
    await broker?.end();
  }
}

async function look(relay: Relay, broker: Broker) {
  const [cpuUs, readings] = await Promise.all([relay.cpuUs(), broker.readings()]);
  return { at: performance.now(), cpuUs, readings };
}

async function allArrived(broker: Broker, goal: number): Promise<number> {
  let readings = await broker.readings();
  let giveUpAt = performance.now() + ARRIVAL_MS;
  while (readings < goal && performance.now() < giveUpAt) {
    await pause(50);
    const before = readings;
    readings = await broker.readings();
    if (readings > before) giveUpAt = performance.now() + ARRIVAL_MS;
  }
  return readings;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
