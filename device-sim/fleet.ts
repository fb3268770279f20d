/**
 * Many devices in one process: who they are, over which link each one talks, and how they start and end together.
 *
 * ```
 *   seed ─→ id, model, phase, faults of each device         links, in turn: tcp, udp, unix, serial (one device a line)
 * ```
 */
import type { MessageOf } from '../protocol/index.ts';
import type { AckLog } from './ack-log.ts';
import type { Outcome } from './command-memory.ts';
import { Device } from './device.ts';
import { FaultInjector, type FaultCounts, type FaultRates, noFaultsYet } from './faults.ts';
import type { Model } from './models/model.ts';
import { MODELS } from './models/models.ts';
import { Random } from './random.ts';
import { type Summary, summarize } from './report.ts';
import { Scheduler } from './scheduler.ts';
import { DEFAULT_TIMING, type Timing } from './timing.ts';
import { SerialLine } from './transports/serial.ts';
import { tcp } from './transports/tcp.ts';
import { type TlsOptions, tls } from './transports/tls.ts';
import type { Dial } from './transports/transport.ts';
import { udp } from './transports/udp.ts';
import { unix } from './transports/unix.ts';

/** A way to the gateway. */
export type Link =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsOptions | undefined }
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'serial'; readonly path: string; readonly baud: number };

/** Who a device is; without a key it speaks plain. */
export interface Identity {
  readonly id: bigint;
  readonly key?: Uint8Array | undefined;
}

export interface FleetOptions {
  /** At least one; a serial line takes one device, the others any number. */
  readonly links: readonly Link[];
  readonly devices: number;
  /** Readings a second, for each device. */
  readonly ratePerS: number;
  readonly seed: number;
  /** Readings that each device takes before it leaves, at least 1; left out: until `finish`. */
  readonly count?: number | undefined;
  /** The first devices, in order; those behind them get their ids from the seed. */
  readonly identities?: readonly Identity[] | undefined;
  /** The key, of 32 bytes, of every device that has none of its own. */
  readonly key?: Uint8Array | undefined;
  /** All models by default. */
  readonly models?: readonly Model[];
  readonly faults?: FaultRates;
  /** Number of every device's boot; 0, the default, asks the gateway for one. */
  readonly boot?: number;
  /** Frames that each device can hold while the gateway is away; 1,000 by default. */
  readonly bufferFrames?: number;
  readonly ackLog?: AckLog | undefined;
  readonly timing?: Partial<Timing>;
  /** Told of every command that a device executed. */
  readonly onCommand?: (device: Device, command: MessageOf<'COMMAND'>, status: Outcome['status']) => void;
}

/** Between the starts of two devices: a power cut's end does not connect five thousand devices in one instant either. */
const START_SPACING_MS = 1;
/** Between two devices that have nothing more to say at the end: a burst of BYEs would not fit a datagram socket's buffer. */
const LEAVE_SPACING_MS = 0.2;
/** After the drain: how long a device may take to close. */
const CLOSE_MS = 1_500;

export class Fleet {
  readonly devices: readonly Device[];
  readonly seed: number;
  readonly faults: FaultCounts = noFaultsYet();
  /** How often each trouble was met, by its code. */
  readonly troubles = new Map<string, number>();
  readonly #scheduler = new Scheduler();
  readonly #done: Promise<void>;
  #commands = 0;
  #lastTrouble: string | undefined;
  #left: number;

  /** Prepares the devices; nothing is opened yet. RangeError when the links cannot take that many devices. */
  constructor(options: FleetOptions) {
    this.seed = options.seed;
    const random = new Random(options.seed);
    const models = options.models ?? MODELS;
    const { identities = [] } = options;
    const ids = new Set(identities.map(({ id }) => id));
    let allGone!: () => void;
    this.#done = new Promise((resolve) => {
      allGone = resolve;
    });
    this.devices = spread(options.links, options.devices).map((link, index) => {
      const own = random.fork(index);
      const identity = identities[index] ?? { id: newId(own.fork('id'), ids) };
      return new Device(
        {
          id: identity.id,
          key: identity.key ?? options.key,
          // Shifted by one a round, so that every model gets to every link.
          model: models[(index + Math.floor(index / models.length)) % models.length] as Model,
          boot: options.boot ?? 0,
          kind: link.kind,
          dial: this.#dial(link, options.faults ?? {}, own),
          periodMs: 1000 / options.ratePerS,
          count: options.count,
          bufferFrames: options.bufferFrames ?? 1_000,
          random: own,
          scheduler: this.#scheduler,
          timing: { ...DEFAULT_TIMING, ...options.timing },
        },
        {
          onReadingAcknowledged: (device, boot, seq) => options.ackLog?.write(device.idText, boot, seq),
          onCommand: (device, command, status) => {
            this.#commands += 1;
            options.onCommand?.(device, command, status);
          },
          onTrouble: (_device, code) => {
            this.troubles.set(code, (this.troubles.get(code) ?? 0) + 1);
            this.#lastTrouble = code;
          },
          onGone: () => {
            this.#left -= 1;
            if (this.#left === 0) allGone();
          },
        },
      );
    });
    this.#left = this.devices.length;
    if (this.#left === 0) allGone();
  }

  /** Commands executed. */
  get commands(): number {
    return this.#commands;
  }

  /** The code of the latest trouble. */
  get lastTrouble(): string | undefined {
    return this.#lastTrouble;
  }

  start(): void {
    const now = this.#scheduler.now();
    for (const [index, device] of this.devices.entries()) device.start(now + index * START_SPACING_MS);
  }

  /** Resolves when every device has left: by itself after its `count`, or because of `finish`. */
  done(): Promise<void> {
    return this.#done;
  }

  /** No more readings; every device leaves as soon as all it has is acknowledged, and at the latest after `drainMs`. */
  async finish(drainMs: number): Promise<void> {
    for (const [index, device] of this.devices.entries()) device.finish(index * LEAVE_SPACING_MS);
    if (!(await this.#doneWithin(drainMs))) {
      for (const device of this.devices) device.cut();
      await this.#doneWithin(CLOSE_MS);
    }
    this.#scheduler.stop();
  }

  summary(): Summary {
    return summarize(this);
  }

  async #doneWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const inTime = await Promise.race([this.#done.then(() => true as const), late]);
    clearTimeout(timer);
    return inTime;
  }

  #dial(link: Link, rates: FaultRates, own: Random): Dial {
    const chance = own.fork('faults');
    const faulty = Object.values(rates).some((rate) => rate > 0);
    if (!faulty) return () => open(link);
    return () => new FaultInjector(open(link), rates, chance, this.#scheduler, this.faults);
  }
}

function open(link: Link): ReturnType<Dial> {
  if (link.kind === 'serial') return new SerialLine(link.path, link.baud);
  if (link.kind === 'unix') return unix(link.path);
  if (link.kind === 'udp') return udp(link.host, link.port);
  return link.tls === undefined ? tcp(link.host, link.port) : tls(link.host, link.port, link.tls);
}

/** The link of each device: in turn, and a serial line only once. */
function spread(links: readonly Link[], devices: number): Link[] {
  const spreadOut: Link[] = [];
  let open = [...links];
  while (spreadOut.length < devices) {
    if (open.length === 0) {
      throw new RangeError(`${devices} devices do not fit: a serial line takes one, and there is no other link`);
    }
    spreadOut.push(...open.slice(0, devices - spreadOut.length));
    open = open.filter(({ kind }) => kind !== 'serial');
  }
  return spreadOut;
}

/** An id that no other device of the fleet has; never 0. */
function newId(random: Random, taken: Set<bigint>): bigint {
  let id = random.u64();
  while (id === 0n || taken.has(id)) id = random.u64();
  taken.add(id);
  return id;
}
