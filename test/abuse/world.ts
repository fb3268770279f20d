/**
 * What the cases of one family play in: a broker, the built gateway with every kind of listener, an observer of both
 * sides, and a good device on each listener, which must be served after every case as if nothing had been.
 *
 * ```
 *   attack ─────→ tcp, udp, serial, closed, closed_udp, tls ─┐
 *   good devices ─→                                           ├─→ gateway ─→ (proxy) ─→ broker ─→ observer
 *                                                             └─→ log
 * ```
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { openPtyPair, type PtyPair, ptyProgram } from '../../gateway/demo/pty-pair.ts';
import { openSerialLine } from '../../gateway/sources/serial-line.ts';
import { type Mosquitto, startMosquitto } from '../helpers/broker.ts';
import { type Certificates, makeCertificates } from '../helpers/certificates.ts';
import { LinkDevice, sample } from '../helpers/link-device.ts';
import { startTcpProxy, type TcpProxy } from '../helpers/mqtt-proxy.ts';
import { findProgram } from '../helpers/programs.ts';
import { must, type Need } from './case.ts';
import { Gateway } from './gateway.ts';
import { Observer } from './observer.ts';
import { within } from './wait.ts';

const BASE = 'abuse';
const ANSWER_MS = 5_000;
/** Small datagrams that the smallest receive buffers hold without trouble. */
const BATCH = 50;

export interface WorldOptions {
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly logFormat?: 'json' | 'pretty';
}

/** A device that does everything right, for the whole of a family. */
interface GoodDevice {
  readonly name: string;
  readonly alias: string;
  readonly device: LinkDevice;
  seq: number;
}

/** Limits under which an attack shows what the rest of the gateway does with it. The family `limits` has the real ones. */
const GENEROUS = {
  handshake_s: 1,
  frame_s: 1,
  requests_per_s: 1_000,
  handshakes_per_s: 100_000,
  handshakes_per_address_per_s: 100_000,
  frames_per_s: 100_000,
  bytes_per_s: 100_000_000,
  answers_per_s: 100_000,
  connections_per_address: 512,
};

/** Anything that has to be unlike everything else of a run. */
let serial = 0;
export function unique(): number {
  return ++serial;
}

export class World {
  readonly gateway: Gateway;
  readonly observer: Observer;
  readonly proxy: TcpProxy | undefined;
  readonly certificates: Certificates | undefined;
  /** Our end of the serial line, if the machine can make one. */
  readonly line: Duplex | undefined;
  /** A device with a key, for attacks on such devices. */
  readonly victim: { readonly id: bigint; readonly alias: string; readonly key: Uint8Array };
  readonly #ports: Readonly<Record<string, number>>;
  readonly #good: GoodDevice[] = [];
  readonly #undo: (() => unknown)[];
  readonly #cleanUps: (() => unknown)[] = [];

  private constructor(parts: {
    gateway: Gateway;
    observer: Observer;
    proxy: TcpProxy | undefined;
    certificates: Certificates | undefined;
    line: Duplex | undefined;
    victim: World['victim'];
    ports: Readonly<Record<string, number>>;
    undo: (() => unknown)[];
  }) {
    this.gateway = parts.gateway;
    this.observer = parts.observer;
    this.proxy = parts.proxy;
    this.certificates = parts.certificates;
    this.line = parts.line;
    this.victim = parts.victim;
    this.#ports = parts.ports;
    this.#undo = parts.undo;
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const undo: (() => unknown)[] = [];
    try {
      return await World.#open(options, undo);
    } catch (error) {
      for (const step of undo.toReversed()) await step();
      throw error;
    }
  }

  static async #open({ limits, logFormat = 'json' }: WorldOptions, undo: (() => unknown)[]): Promise<World> {
    let mosquitto: Mosquitto | undefined;
    let proxy: TcpProxy | undefined;
    if (findProgram('mosquitto') !== undefined) {
      mosquitto = await startMosquitto();
      undo.push(() => mosquitto?.close());
      proxy = await startTcpProxy(mosquitto.port);
      undo.push(() => proxy?.close());
    }
    let pty: PtyPair | undefined;
    if (ptyProgram() !== undefined) {
      pty = await openPtyPair();
      undo.push(() => pty?.close());
    }
    const certificates = findProgram('openssl') === undefined ? undefined : makeCertificates();
    undo.push(() => certificates?.remove());

    const victim = { id: 0xfeed_0000_0000_0001n, alias: 'victim', key: randomBytes(32) };
    const keyed = { id: 0xfeed_0000_0000_0002n, alias: 'keyed', key: randomBytes(32) };
    const tls = certificates && {
      cert: certificates.server.cert,
      key: certificates.server.key,
      client_ca: certificates.ca.cert,
    };
    const config = {
      http: { port: 0 },
      mqtt: { base: BASE, ...(proxy !== undefined && { url: `mqtt://127.0.0.1:${proxy.port}` }) },
      sources: [
        { name: 'tcp', tcp: '127.0.0.1:0' },
        { name: 'udp', udp: '127.0.0.1:0', receive_buffer: 4_194_304 },
        { name: 'closed', tcp: '127.0.0.1:0', plain: false },
        { name: 'closed_udp', udp: '127.0.0.1:0', plain: false },
        { name: 'time', udp: '127.0.0.1:0', service: 'time' },
        ...(pty === undefined ? [] : [{ name: 'serial', serial: pty.a }]),
        ...(tls === undefined ? [] : [{ name: 'tls', tcp: '127.0.0.1:0', tls }]),
      ],
      devices: Object.fromEntries(
        [victim, keyed].map(({ id, alias, key }) => [
          id.toString(16),
          { alias, key: Buffer.from(key).toString('hex') },
        ]),
      ),
      limits: { ...GENEROUS, ...limits },
      journal: { durability: 'process', min_free_bytes: 0, sync_interval_ms: 20 },
      log: { level: 'debug', format: logFormat },
    };
    const gateway = new Gateway(config);
    undo.push(() => gateway.stop());

    const ports: Record<string, number> = {};
    for (const { name } of config.sources) {
      if (name === 'serial') await gateway.logged(/opened \S+ \(serial/);
      else ports[name] = await listeningPort(gateway, name, logFormat);
    }
    const url = mosquitto?.url ?? `mqtt://127.0.0.1:${(await gateway.logged(/runs on 127\.0\.0\.1:(\d+)/))[1]}`;
    const observer = await Observer.connect(url, BASE);
    undo.push(() => observer.close());
    let line: Duplex | undefined;
    if (pty !== undefined) {
      const settings = { baud: 115_200, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' } as const;
      line = await openSerialLine('abuse', pty.b, settings, () => performance.now());
      undo.push(() => line?.destroy());
    }
    const world = new World({ gateway, observer, proxy, certificates, line, victim, ports, undo });
    await world.#meetGoodDevices(keyed);
    return world;
  }

  /** What this machine cannot give the cases. */
  get lacks(): readonly Need[] {
    const there: Record<Need, boolean> = {
      mosquitto: this.proxy !== undefined,
      openssl: this.certificates !== undefined,
      'socat or python3': this.line !== undefined,
    };
    return (Object.keys(there) as Need[]).filter((need) => !there[need]);
  }

  port(name: string): number {
    const port = this.#ports[name];
    if (port === undefined) throw new Error(`this machine lacks what the source ${name} needs`);
    return port;
  }

  // --- for the cases -------------------------------------------------------------------------------------------------

  /** A connection without any manners. It is reset when the case is over. */
  async connect(source = 'tcp', localAddress = '127.0.0.1'): Promise<Socket> {
    const socket = connect({
      port: this.port(source),
      host: '127.0.0.1',
      localAddress,
      allowHalfOpen: true,
      noDelay: true,
    });
    socket.on('error', () => undefined);
    this.atEnd(() => socket.destroy());
    await within(once(socket, 'connect'), ANSWER_MS, `a connection to ${source}`);
    return socket;
  }

  /** A datagram socket of its own; what comes back is collected. */
  async datagrams(source = 'udp', localAddress = '127.0.0.1'): Promise<Attacker> {
    const socket = createSocket('udp4').bind(0, localAddress);
    await once(socket, 'listening');
    this.atEnd(() => socket.close());
    return new Attacker(socket, this.port(source));
  }

  /** Sends `count` datagrams, no faster than a small receive buffer of the system takes: all of them are to arrive. */
  async datagramsInTurn(count: number, send: (n: number) => unknown): Promise<void> {
    for (let n = 0; n < count; n++) {
      await send(n);
      // When the gateway has answered this, it has looked at its sockets, too.
      if (n % BATCH === BATCH - 1) await this.observer.request('ping');
    }
  }

  /** A device of its own, to be misused. */
  async device(
    source: 'tcp' | 'udp' | 'closed' | 'closed_udp' = 'tcp',
    id?: bigint,
    key?: Uint8Array,
  ): Promise<LinkDevice> {
    const own = id ?? 0xbad0_0000_0000_0000n + BigInt(unique());
    const port = this.port(source);
    const device = source.endsWith('udp') ? await LinkDevice.udp(port, own) : await LinkDevice.tcp(port, own);
    device.key = key;
    this.atEnd(() => device.close());
    return device;
  }

  /** Bytes onto the serial line that the good device on it uses as well; throws when the machine has none. */
  onLine(bytes: Uint8Array): number {
    if (this.line === undefined) throw new Error('this machine lacks socat and python3');
    this.line.write(bytes);
    return bytes.length;
  }

  /** The device's topics. */
  aliasOf(device: LinkDevice): string {
    return device.id.toString(16).padStart(16, '0');
  }

  atEnd(step: () => unknown): void {
    this.#cleanUps.push(step);
  }

  // --- for the runner ------------------------------------------------------------------------------------------------

  async cleanUp(): Promise<void> {
    for (const step of this.#cleanUps.splice(0).toReversed()) await step();
  }

  /** For the test of the harness: this good device is not heard any more. */
  silenceGood(name: string): void {
    for (const good of this.#good) if (good.name === name) good.device.close();
  }

  /** Every good device sends one more reading, gets its ACK, and the reading is published. Milliseconds in all. */
  async nextGood(): Promise<number> {
    const startedAt = performance.now();
    await Promise.all(this.#good.map((good) => this.#oneMore(good)));
    return performance.now() - startedAt;
  }

  async close(): Promise<void> {
    await this.cleanUp();
    for (const { device } of this.#good) device.close();
    for (const step of this.#undo.toReversed()) await step();
  }

  async #oneMore(good: GoodDevice): Promise<void> {
    const { name, alias, device } = good;
    const value = 1_000_000 + unique();
    const from = this.observer.seen.length;
    const seq = ++good.seq;
    const send = (): void => device.readings(seq, sample(value));
    send();
    // What an attack has left on a serial line takes the first frame with it, and a datagram may be lost.
    const again = name === 'serial' || name.includes('udp') ? setInterval(send, 150) : undefined;
    try {
      await within(device.acknowledged(seq), ANSWER_MS, 'no ACK');
    } catch (error) {
      throw new Error(`the good device on ${name} was not served: ${String(error).slice(0, 100)}`, { cause: error });
    } finally {
      clearInterval(again);
    }
    const published = await this.observer.state(alias, (json) => json.includes(`:${value},`), from);
    must(published !== undefined, `the reading of the good device on ${name} was not published`);
  }

  async #meetGoodDevices(keyed: { id: bigint; alias: string; key: Uint8Array }): Promise<void> {
    const add = async (name: string, device: LinkDevice, alias = this.aliasOf(device)): Promise<void> => {
      await within(device.hello(), ANSWER_MS, `WELCOME for the good device on ${name}`);
      this.#good.push({ name, alias, device, seq: 0 });
    };
    await add('tcp', await LinkDevice.tcp(this.port('tcp'), 0x600d_0000_0000_0001n));
    await add('udp', await LinkDevice.udp(this.port('udp'), 0x600d_0000_0000_0002n));
    const sealed = await LinkDevice.tcp(this.port('closed'), keyed.id);
    sealed.key = keyed.key;
    await add('closed', sealed, keyed.alias);
    if (this.line !== undefined) await add('serial', LinkDevice.over(this.line, 0x600d_0000_0000_0003n));
    await this.nextGood();
  }
}

/** A datagram socket that counts both ways. */
export class Attacker {
  readonly socket: DatagramSocket;
  readonly answers: Buffer[] = [];
  sentBytes = 0;
  readonly #port: number;

  constructor(socket: DatagramSocket, port: number) {
    this.socket = socket;
    this.#port = port;
    socket.on('message', (bytes) => void this.answers.push(bytes));
    socket.on('error', () => undefined);
  }

  /** Resolves when the system has taken it. */
  send(bytes: Uint8Array): Promise<void> {
    this.sentBytes += bytes.length;
    return new Promise((resolve) => this.socket.send(bytes, this.#port, '127.0.0.1', () => resolve()));
  }

  get answeredBytes(): number {
    return this.answers.reduce((sum, { length }) => sum + length, 0);
  }
}

async function listeningPort(gateway: Gateway, name: string, format: 'json' | 'pretty'): Promise<number> {
  const pattern =
    format === 'json'
      ? new RegExp(`"source":"${name}","where":"127\\.0\\.0\\.1:(\\d+)"`)
      : new RegExp(`listening on 127\\.0\\.0\\.1:(\\d+) .*"source":"${name}"`);
  return Number((await gateway.logged(pattern))[1]);
}
