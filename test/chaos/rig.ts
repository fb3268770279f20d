/**
 * The usual set-up of a row: devices → gateway → mosquitto → subscriber, each a process or a client of its own, and the
 * oracle that sees both ends.
 *
 * ```
 *   device-sim ──→ bytes2mqtt ──→ mosquitto ──→ subscriber
 *       └─ ack log ─────────→ oracle ←──────────────┘
 * ```
 */
import { join } from 'node:path';
import type { Totals } from '../../device-sim/report.ts';
import { Broker } from './broker.ts';
import type { Expectation } from './oracle.ts';
import { Oracle, type Verdict } from './oracle.ts';
import { type FleetOptions, FleetProcess } from './fleet-process.ts';
import { type GatewayOptions, GatewayProcess } from './gateway-process.ts';
import { stablePort } from './ports.ts';
import type { Context, Outcome } from './scenario.ts';
import { Subscriber } from './subscriber.ts';
import { must, until } from './wait.ts';

const BASE = 'chaos';
/** After the last ACK: the subscriber has all, or has got nothing for so long that the rest is missing. */
const SETTLE_QUIET_MS = 20_000;
const SETTLE_LIMIT_MS = 600_000;

export interface RigOptions {
  /** Where the gateway finds its broker; default: at the broker's own port. */
  readonly brokerPort?: number;
  readonly preload?: boolean;
  readonly journalFolder?: string;
  readonly journal?: GatewayOptions['journal'];
}

/** A fleet without the parts that the rig knows itself. */
export type RigFleet = Omit<FleetOptions, 'folder' | 'links' | 'seed'> & { readonly links?: readonly string[] };

export class Rig {
  readonly context: Context;
  readonly broker: Broker;
  readonly gateway: GatewayProcess;
  readonly oracle: Oracle;
  readonly tcpPort: number;
  readonly udpPort: number;
  /** Called for each message whose reading came for the first time. */
  onFirst: ((topic: string, payload: string) => void) | undefined;
  readonly #fleets: FleetProcess[] = [];
  readonly #probes = new Set<string>();
  #subscriber: Subscriber | undefined;

  private constructor(context: Context, broker: Broker, ports: { tcp: number; udp: number }, options: RigOptions) {
    this.context = context;
    this.broker = broker;
    this.tcpPort = ports.tcp;
    this.udpPort = ports.udp;
    this.oracle = new Oracle({ reading: (device, seq) => this.#expected(device, seq) });
    this.gateway = new GatewayProcess({
      folder: join(context.folder, 'gateway'),
      brokerPort: options.brokerPort ?? broker.port,
      base: BASE,
      tcpPort: ports.tcp,
      udpPort: ports.udp,
      durability: context.durability,
      journalFolder: options.journalFolder,
      journal: options.journal,
      ...(options.preload === undefined ? {} : { preload: options.preload }),
    });
  }

  /** Broker and subscriber are there, and the subscription is on the broker's disk; the gateway is yet to be started. */
  static async open(context: Context, options: RigOptions = {}, broker?: Broker): Promise<Rig> {
    const chance = context.random.fork('ports');
    const ownBroker = broker ?? (await startBroker(context));
    const ports = { tcp: await stablePort(chance), udp: await stablePort(chance) };
    const rig = new Rig(context, ownBroker, ports, options);
    rig.#subscriber = await Subscriber.open({
      url: ownBroker.url,
      base: BASE,
      file: join(context.folder, 'received.log'),
      onMessage: (topic, payload) => {
        if (rig.oracle.received(topic, payload)) rig.onFirst?.(topic, payload);
      },
    });
    context.atEnd(async () => {
      for (const fleet of rig.#fleets) await fleet.kill();
      await rig.gateway.kill();
      await rig.#subscriber?.close();
    });
    await ownBroker.saved();
    return rig;
  }

  get links(): { readonly tcp: readonly string[]; readonly udp: readonly string[] } {
    return { tcp: ['--tcp', `127.0.0.1:${this.tcpPort}`], udp: ['--udp', `127.0.0.1:${this.udpPort}`] };
  }

  /** Adds a fleet and starts it. Its seed comes from the row's and its name. */
  fleet(options: RigFleet): FleetProcess {
    const { tcp } = this.links;
    const { folder, random } = this.context;
    const seed = random.fork('fleet').fork(options.name).u32();
    const fleet = new FleetProcess({ links: tcp, ...options, folder, seed }, (device, boot, seq) =>
      this.oracle.acknowledged(device, boot, seq),
    );
    this.#fleets.push(fleet);
    fleet.start();
    return fleet;
  }

  /** 500 readings a second of 20 devices, three of four over TCP and the others over UDP. */
  standardFleet(): FleetProcess {
    const { tcp, udp } = this.links;
    return this.fleet({ name: 'fleet', links: [...tcp, ...tcp, ...tcp, ...udp], devices: 20, ratePerS: 25 });
  }

  get subscriber(): Subscriber {
    if (this.#subscriber === undefined) throw new Error('the rig is not open');
    return this.#subscriber;
  }

  /** An id for a probe: its readings are expected to say their seq on channel 1. */
  probeId(index: bigint): bigint {
    const id = 0xc4a0_0000_0000_0000n + index;
    this.#probes.add(id.toString(16));
    return id;
  }

  /** Resolves when the subscriber has all that is acknowledged, or nothing more comes. */
  async settle(): Promise<void> {
    const done = (): boolean => this.oracle.outstanding === 0 || this.subscriber.quietMs > SETTLE_QUIET_MS;
    await until(done, SETTLE_LIMIT_MS, 50);
    // What comes twice or from nowhere comes late.
    await until(() => this.subscriber.quietMs > 500, 5_000, 50);
  }

  /** Milliseconds from the gateway's start to the first ACK of a reading after it listened. */
  async acksAgain(fleet: FleetProcess, limitMs = 20_000): Promise<number> {
    await this.gateway.listening();
    const before = fleet.acks.count;
    await must(`ACKs flow again\n${this.gateway.lastLog()}`, () => fleet.acks.count > before, limitMs, 5);
    return performance.now() - this.gateway.spawnedAt;
  }

  /** The line of the table, with what must hold in every row among the failures. */
  outcome(totals: readonly Totals[], own: OwnPart): Outcome {
    const verdict = this.oracle.verdict();
    const readings = totals.reduce((sum, { sent }) => sum + sent, 0);
    const dropped = totals.reduce((sum, { dropped }) => sum + dropped, 0);
    const left = readings - dropped - totals.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    const failures = [...own.failures, ...this.gateway.crashes, ...objections(verdict)];
    if (left > 0) failures.push(`${left} readings were not acknowledged at the end`);
    if (verdict.acknowledged === 0) failures.push('nothing was acknowledged: there is nothing to compare');
    return {
      rounds: own.rounds,
      readings,
      acknowledged: verdict.acknowledged,
      missing: verdict.missing,
      duplicates: verdict.duplicates,
      foreign: verdict.foreign,
      worstAckGapMs: own.worstAckGapMs,
      figures: { ...own.figures, ...(dropped > 0 && { dropped_by_devices: dropped }) },
      failures,
    };
  }

  #expected(device: string, seq: number): Expectation | undefined {
    for (const fleet of this.#fleets) {
      const reading = fleet.expected.reading(device, seq);
      if (reading !== undefined) return reading;
    }
    return this.#probes.has(device) ? new Map([['ch1', { value: seq, step: 1 }]]) : undefined;
  }
}

/** What a row adds itself. */
export interface OwnPart {
  readonly rounds: number;
  readonly worstAckGapMs?: number | undefined;
  readonly figures?: Outcome['figures'];
  readonly failures: readonly string[];
}

/** What must never be, in a sentence each. */
export function objections(verdict: Verdict): string[] {
  const { missing, foreign, changed, corrupt, disordered, examples } = verdict;
  const found = Object.entries({ missing, foreign, changed, corrupt, disordered }).filter(([, count]) => count > 0);
  if (found.length === 0) return [];
  return [`${found.map(([what, count]) => `${count} ${what}`).join(', ')}\n  ${examples.join('\n  ')}`];
}

export async function startBroker(context: Context): Promise<Broker> {
  const broker = new Broker(context.folder, await stablePort(context.random.fork('broker')));
  context.atEnd(() => broker.kill());
  await broker.start();
  return broker;
}
