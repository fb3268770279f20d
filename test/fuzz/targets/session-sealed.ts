/**
 * A device with a key among those who have none: what it seals is recorded, damaged, doubled, kept back and sent from
 * elsewhere, beside plain frames and seals of another key in its name. The device and its keys live in the check, since
 * the gateway's part of a handshake is different each time; the input says who does what.
 *
 * ```
 *   step   op u8 | a u8 | b u8 | c u8
 * ```
 */
import {
  beginHandshake,
  decodeBody,
  type DeviceHandshake,
  encodeBody,
  encodeMessage,
  KEY_BYTES,
  type Message,
  type MessageOf,
  type Sample,
  SecureChannel,
} from '../../../protocol/index.ts';
import type { Random } from '../../../device-sim/random.ts';
import { CARRIERS, MAX_STEPS, type TestCarrier, World } from '../link-world.ts';
import { must, noise, type Target } from '../target.ts';

const STEP_BYTES = 4;
const KEY = new Uint8Array(KEY_BYTES).fill(7);
const WRONG_KEY = new Uint8Array(KEY_BYTES).fill(8);
const DEVICE = 0xfeed_f00d_0000_0002n;
const ID = DEVICE.toString(16);
const READINGS = 4;
const PING = 7;
/** What the device measures counts up from here; whoever pretends to be it says this. */
const FIRST_VALUE = 1;
const FORGED = 0xffff_ffff;

function sampleOf(value: number): Sample[] {
  return [{ timeKind: 'now', time: 0, values: [{ channel: 1, type: 'u32', quality: 'good', value }] }];
}

function hello(boot: number): MessageOf<'HELLO'> {
  return {
    type: 'HELLO',
    minVersion: 1,
    maxVersion: 1,
    device: DEVICE,
    boot,
    uptime: 0,
    firstSeq: 1,
    capabilities: { commands: false, clock: false },
    maxFrame: 1_024,
    schemaCrc: 0,
  };
}

function report(boot: number, value: number): MessageOf<'REPORT'> {
  return { type: 'REPORT', device: DEVICE, boot, uptime: 0, samples: sampleOf(value) };
}

/** The genuine device: it never uses an identity (boot and number) for two values. */
class Device {
  /** By `boot-seq`: what it has measured. */
  readonly measured = new Map<string, number>();
  /** Every sealed frame that it has made. */
  readonly made: Uint8Array[] = [];
  readonly #world: World;
  #handshake: DeviceHandshake | undefined;
  #channel: SecureChannel | undefined;
  #carrier: TestCarrier;
  #boot = 1;
  readonly #seqs = new Map<number, number>();
  #value = FIRST_VALUE;

  constructor(world: World) {
    this.#world = world;
    this.#carrier = world.carriers[0] as TestCarrier;
  }

  /** Whether it has a session by its own reckoning. */
  get welcome(): boolean {
    return this.#channel !== undefined;
  }

  sayHello(carrier: TestCarrier, boot: number): void {
    this.#boot = boot;
    this.#carrier = carrier;
    this.#channel = undefined;
    this.#handshake = beginHandshake(KEY, hello(boot));
    this.made.push(this.#handshake.frame);
    carrier.sealed.length = 0;
    this.#world.receive(this.#handshake.frame, carrier);
    this.listen();
  }

  /** Takes the answer to its newest HELLO, if that has come. */
  listen(): void {
    for (const bytes of this.#carrier.sealed.splice(0)) {
      const answer = this.#channel === undefined ? this.#handshake?.complete(bytes) : undefined;
      if (answer?.ok === true) {
        const body = decodeBody(answer.frame);
        must(body.ok, 'a sealed answer that cannot be read');
        this.#channel = answer.channel;
      } else if (this.#channel !== undefined) {
        const opened = this.#channel.open(bytes);
        must(opened.ok || opened.code !== 'replayed', 'the gateway has used a number twice');
      }
    }
  }

  /** Seals a reading; the same number again when `again`. */
  reading(again: boolean): Uint8Array | undefined {
    if (this.#channel === undefined) return undefined;
    const last = this.#seqs.get(this.#boot) ?? 0;
    const seq = again && last > 0 ? last : last + 1;
    const value = this.#measure(seq);
    const body = encodeBody({ type: 'READINGS', samples: sampleOf(value) });
    return this.#record(this.#channel.seal({ type: READINGS, seq }, body));
  }

  ping(): Uint8Array | undefined {
    return this.#channel && this.#record(this.#channel.seal({ type: PING }, new Uint8Array(4)));
  }

  report(boot: number): Uint8Array {
    const seq = (this.#seqs.get(boot) ?? 0) + 1;
    const value = this.#measure(seq, boot);
    return this.#record(beginHandshake(KEY, report(boot, value), seq).frame);
  }

  send(frame: Uint8Array | undefined): void {
    if (frame !== undefined) this.#world.receive(frame, this.#carrier);
  }

  #measure(seq: number, boot = this.#boot): number {
    const name = `${boot}-${seq}`;
    const value = this.measured.get(name) ?? this.#value++;
    this.measured.set(name, value);
    this.#seqs.set(boot, seq);
    return value;
  }

  #record(frame: Uint8Array): Uint8Array {
    this.made.push(frame);
    return frame;
  }
}

/** What somebody without the key can say in its name. */
function pretend(world: World, carrier: TestCarrier, kind: number, a: number, b: number): void {
  const sid = 1 + (a % 8);
  const samples = sampleOf(FORGED);
  const plain: readonly Message[] = [
    hello(b % 4),
    report(1 + (b % 4), FORGED),
    { type: 'READINGS', samples },
    { type: 'BYE', reason: 'done' },
    { type: 'GAP', first: 1, lost: 1 },
    { type: 'PING', token: 1 },
  ];
  const message = plain[kind % (plain.length + 2)];
  if (message === undefined) {
    const forged = kind % 2 === 0 ? beginHandshake(WRONG_KEY, hello(b % 4)) : undefined;
    world.receive(forged?.frame ?? beginHandshake(WRONG_KEY, report(9, FORGED), 1 + b).frame, carrier);
    return;
  }
  const sessionless = message.type === 'HELLO' || message.type === 'REPORT';
  const header = { sid: sessionless ? 0 : sid, seq: message.type === 'HELLO' || message.type === 'PING' ? 0 : 1 + b };
  world.receive(encodeMessage(message, header), carrier);
}

/** Everything in the journal was measured by the device, and each reading is there once. */
function checkJournal(world: World, device: Device): void {
  const seen = new Set<string>();
  for (const { device: owner, boot, seq, samples } of world.records) {
    must(owner.id === ID, `readings of a device ${owner.id}`);
    const name = `${boot}-${seq}`;
    must(!seen.has(name), `reading ${name} twice`);
    seen.add(name);
    must(samples.length === 1 && samples[0]?.values.length === 1, 'another form of reading');
    const value = samples[0]?.values[0]?.value;
    must(value === device.measured.get(name), `reading ${name} has value ${String(value)}`);
  }
}

function step(world: World, device: Device, [op = 0, a = 0, b = 0, c = 0]: Uint8Array): void {
  const carrier = world.carriers[b % CARRIERS] as TestCarrier;
  const recorded = device.made[a % Math.max(1, device.made.length)];
  switch (op % 12) {
    case 0:
      device.sayHello(carrier, 1 + (a % 4));
      break;
    case 1:
    case 2:
      device.send(device.reading(c % 8 === 0));
      break;
    case 3:
      device.send(device.ping());
      break;
    case 4:
      // Sealed and kept back: it may come later, in any order, or never.
      device.reading(false);
      break;
    case 5:
    case 6:
      if (recorded !== undefined) world.receive(recorded, carrier);
      break;
    case 7:
      if (recorded !== undefined) world.receive(damaged(recorded, b, c), carrier);
      break;
    case 8:
      device.send(device.report(1 + (a % 4)));
      break;
    case 9:
      pretend(world, carrier, a, b, c);
      break;
    case 10:
      if (c % 4 === 0) world.lose(carrier);
      else if (c % 4 === 1) world.drain();
      else world.endOfTurn();
      break;
    default:
      world.pass((a << 8) | c);
  }
  device.listen();
}

function damaged(frame: Uint8Array, b: number, c: number): Uint8Array {
  const copy = c % 5 === 0 ? frame.slice(0, b % frame.length) : frame.slice();
  const at = b % copy.length;
  if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 + (c % 255));
  return copy;
}

export const SEALED_SESSION_TARGETS: readonly Target[] = [
  {
    name: 'link-session-sealed',
    about: 'a device with a key, recorded, damaged, doubled and imitated: only what it has measured is taken, and once',
    generate: (random: Random) => noise(random, STEP_BYTES * (1 + random.int(MAX_STEPS))),
    check: (input) => {
      const world = new World(new Map([[ID, { key: KEY, plain: false }]]));
      const device = new Device(world);
      device.sayHello(world.carriers[0] as TestCarrier, 1);
      must(device.welcome, 'a HELLO with the right key was not answered');
      const end = Math.min(input.length, MAX_STEPS * STEP_BYTES);
      for (let at = 0; at < end; at += STEP_BYTES) step(world, device, input.subarray(at, at + STEP_BYTES));
      checkJournal(world, device);

      // Whatever was done in its name, it is let in and heard.
      world.pass(60_000);
      world.drain();
      device.sayHello(world.carriers[CARRIERS] as TestCarrier, 5);
      must(device.welcome, 'the device is not let in any more');
      device.send(device.reading(false));
      world.endOfTurn();
      checkJournal(world, device);
      const [newest] = world.records.slice(-1);
      must(newest?.boot === 5, 'the reading of the device was not taken');
    },
  },
];
