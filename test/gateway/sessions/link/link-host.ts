/**
 * Link sessions in this process: real sockets and the real loop, with a clock that a test moves by hand, so that a
 * deadline of a minute takes no time, and a journal that can be held.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Acceptor, type AcceptorLimits, type SessionFactory } from '../../../../gateway/acceptor.ts';
import { DeviceRegistry } from '../../../../gateway/devices/registry.ts';
import type { JournalRecord } from '../../../../gateway/journal/journal.ts';
import { MemoryJournal } from '../../../../gateway/journal/memory-journal.ts';
import { HandshakeGate, type HandshakeLimits } from '../../../../gateway/limits/handshake-gate.ts';
import { DatagramAnswers } from '../../../../gateway/limits/datagram-answers.ts';
import { LimitWatch } from '../../../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../../../gateway/log.ts';
import { Loop } from '../../../../gateway/loop.ts';
import {
  createLinkCounters,
  type Credential,
  type LinkCounters,
  type LinkLimits,
} from '../../../../gateway/sessions/link/link-context.ts';
import { LinkDatagrams } from '../../../../gateway/sessions/link/link-datagrams.ts';
import { LinkStream } from '../../../../gateway/sessions/link/link-stream.ts';
import { LinkTable } from '../../../../gateway/sessions/link/link-table.ts';
import type { Source } from '../../../../gateway/sources/source.ts';
import type { SourceContext } from '../../../../gateway/sources/source-base.ts';
import { TcpServerSource } from '../../../../gateway/sources/tcp-server.ts';
import { UdpSource } from '../../../../gateway/sources/udp.ts';
import { FrameTap } from '../../../../gateway/tap/frame-tap.ts';
import { UnixSource } from '../../../../gateway/sources/unix.ts';
import { DEVICE_ID, LinkDevice } from '../../../helpers/link-device.ts';

/** The wall clock at the start, and it goes with the other one. */
export const START_MS = 1_767_225_600_000;

/** The journal in memory, which can be told to sync only when the test says so; it remembers all it was given. */
export class HeldJournal extends MemoryJournal {
  readonly records: JournalRecord[] = [];
  held = false;

  override append(record: JournalRecord): number | undefined {
    const lsn = super.append(record);
    if (lsn !== undefined) this.records.push(record);
    return lsn;
  }

  override commit(): void {
    if (!this.held) super.commit();
  }

  /** What a disk does when it is done. */
  sync(): void {
    super.commit();
  }
}

export interface LinkHostOptions {
  readonly limits?: Partial<
    LinkLimits & AcceptorLimits & HandshakeLimits & { answersPerS: number; outputBytes: number }
  >;
  readonly maxRecords?: number;
  readonly maxDevices?: number;
  /** What is known of devices beforehand, by id. */
  readonly credentials?: ReadonlyMap<string, Credential>;
  /** False: only devices with a key are let in. */
  readonly plain?: boolean;
  /** More sources, e.g. a serial line. */
  readonly sources?: (context: SourceContext) => Source[];
}

export class LinkHost {
  readonly loop: Loop;
  readonly journal: HeldJournal;
  readonly registry: DeviceRegistry;
  readonly links: LinkTable;
  readonly acceptor: Acceptor;
  readonly watch: LimitWatch;
  readonly tap = new FrameTap(() => START_MS + this.#nowMs);
  readonly counters: Record<'tcp' | 'udp' | 'unix' | 'serial', LinkCounters>;
  /** What the sessions told, in words: `online a1b2…`, `offline a1b2… silent`. */
  readonly events: string[] = [];
  /** Warnings of the log. */
  readonly warnings: string[] = [];
  tcpPort = 0;
  udpPort = 0;
  readonly unixPath: string;
  /** Milliseconds since the start. */
  #nowMs = 0;
  readonly #answers: DatagramAnswers;
  readonly #running: Promise<void>;
  readonly #sources: Source[];
  readonly #devices: LinkDevice[] = [];
  readonly #waiting: { done: () => boolean; resolve: () => void }[] = [];

  private constructor(options: LinkHostOptions) {
    const { limits: given, maxRecords = 10_000, maxDevices = 1_000 } = options;
    const clock = () => 1_000 + this.#nowMs;
    const loop = new Loop(clock);
    this.loop = loop;
    const log = createLog({ level: 'silent', pretty: false });
    const limited = { ...rateLimited(log, clock), warn: (cause: string) => this.warnings.push(cause) > 0 };
    this.journal = new HeldJournal({ maxRecords });
    this.registry = new DeviceRegistry(new Map(), maxDevices);
    this.counters = {
      tcp: createLinkCounters(),
      udp: createLinkCounters(),
      unix: createLinkCounters(),
      serial: createLinkCounters(),
    };
    const limits = {
      handshakeMs: 5_000,
      frameMs: 10_000,
      keepaliveS: 30,
      window: 32,
      throttleMs: 60_000,
      connections: 1_024,
      connectionsPerAddress: 64,
      connectionsUnauthenticated: 64,
      sessionsPerConnection: 32,
      readBudget: 16_384,
      handshakesPerS: 1_000,
      handshakesPerAddressPerS: 1_000,
      framesPerS: 100_000,
      bytesPerS: 100_000_000,
      answersPerS: 1_000,
      schemaBytes: 4_096,
      channels: 64,
      commandsPerDevice: 16,
      ...given,
    };
    let random = 0x5eed_0000;
    this.watch = new LimitWatch(limited);
    const handshakes = new HandshakeGate(limits, clock, this.watch);
    this.#answers = new DatagramAnswers(limits.answersPerS, clock, this.watch);
    this.links = new LinkTable({
      registry: this.registry,
      credentials: options.credentials ?? new Map(),
      journal: this.journal,
      timers: loop.timers,
      now: () => loop.now(),
      wallNow: () => START_MS + this.#nowMs,
      randomU32: () => (random += 1),
      limits,
      watch: this.watch,
      admitHandshake: (carrier) => handshakes.admit(carrier.address),
      counters: this.counters,
      log: limited,
      listener: {
        online: (device) => this.#tell(`online ${device.alias}`),
        offline: (device, why) => this.#tell(`offline ${device.alias} ${why}`),
        schema: (device) => this.#tell(`schema ${device.alias}`),
        deviceLog: (device, level, text) => this.#tell(`log ${device.alias} ${level} ${text}`),
        lost: (device, readings) => this.#tell(`lost ${device.alias} ${readings}`),
        refused: ({ reason, device }) => this.#tell(`refused ${device ?? '?'} ${reason}`),
      },
    });
    this.acceptor = new Acceptor(loop, limits, log, limited, this.watch, this.tap);
    this.registry.onRemoved = (device) => this.links.forget(device);
    this.journal.onDurable = () => {
      this.links.onDurable();
      loop.wakeup();
    };
    this.journal.onRoom = () => {
      this.links.onRoom();
      loop.wakeup();
    };
    loop.atEndOfTurn(() => this.journal.commit());
    loop.atEndOfTurn(() => this.links.sendAcks());
    loop.atEndOfTurn(() => this.#look());

    const folder = mkdtempSync(join(tmpdir(), 'link-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    this.unixPath = join(folder, 'link.sock');
    const { plain = true } = options;
    const { outputBytes = 65_536 } = given ?? {};
    const context = { timers: loop.timers, now: clock, random: () => 0.5, outputBytes };
    this.#sources = [
      new TcpServerSource({ host: '127.0.0.1', port: 0 }, context),
      new UdpSource({ host: '127.0.0.1', port: 0 }, context),
      new UnixSource({ path: this.unixPath }, context),
      ...(options.sources?.(context) ?? []),
    ];
    for (const source of this.#sources) {
      const transport = source.transport === 'tcp-client' ? 'tcp' : source.transport;
      const createSession: SessionFactory = (channel, host) =>
        channel.kind === 'datagram'
          ? new LinkDatagrams(channel, host, this.links, this.counters.udp, this.#answers, plain)
          : new LinkStream(channel, transport, host, this.links, limits, this.counters[transport], this.watch, plain);
      this.acceptor.add(source, { where: () => source.id, speaks: 'link protocol', createSession });
    }
    this.#running = loop.run();
  }

  /** Everything is gone again when the test is over. */
  static async start(options: LinkHostOptions = {}): Promise<LinkHost> {
    const host = new LinkHost(options);
    onTestFinished(() => host.#stop());
    await Promise.all(host.#sources.map((source) => source.open()));
    const [tcp, udp] = host.#sources;
    host.tcpPort = (tcp as TcpServerSource).address?.port ?? 0;
    host.udpPort = (udp as UdpSource).address?.port ?? 0;
    return host;
  }

  async connect(transport: 'tcp' | 'udp' | 'unix', id: bigint = DEVICE_ID): Promise<LinkDevice> {
    const device = await (transport === 'tcp'
      ? LinkDevice.tcp(this.tcpPort, id)
      : transport === 'udp'
        ? LinkDevice.udp(this.udpPort, id)
        : LinkDevice.unix(this.unixPath, id));
    this.#devices.push(device);
    return device;
  }

  /** A device with a session. */
  async device(transport: 'tcp' | 'udp' | 'unix' = 'tcp', id: bigint = DEVICE_ID): Promise<LinkDevice> {
    const device = await this.connect(transport, id);
    await device.hello();
    return device;
  }

  /** Moves the clock and lets the deadlines run. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    await this.turn();
  }

  /** Moves the clock without a turn, as time does while nothing happens. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Resolves at the end of a turn that has begun after the call. */
  async turn(): Promise<void> {
    const from = this.loop.turns;
    this.loop.wakeup();
    await this.until(() => this.loop.turns > from);
  }

  /** Resolves at the end of the first turn after which this holds. */
  until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ done, resolve });
    });
  }

  async event(text: string): Promise<void> {
    await this.until(() => this.events.includes(text));
  }

  /** The seqs in the journal, in its order. */
  get seqs(): number[] {
    return this.journal.records.map(({ seq }) => seq);
  }

  /** The broker takes so many of the records, oldest first. */
  release(count: number): void {
    this.journal.setAccepted(Math.min(this.journal.accepted + count, this.journal.durable));
  }

  #tell(event: string): void {
    this.events.push(event);
  }

  #look(): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.done()) waiting.resolve();
      else this.#waiting.push(waiting);
    }
  }

  async #stop(): Promise<void> {
    for (const device of this.#devices) device.close();
    this.links.close();
    await this.acceptor.close();
    this.loop.stop();
    await this.#running;
  }
}
