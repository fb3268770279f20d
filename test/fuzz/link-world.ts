/** The link sessions of a gateway with nothing around them: carriers that check what is sent, a clock that is moved, a journal in memory. */
import { decodeBody, decodeFrame, isSealed, MAX_DATAGRAM_BYTES, type Message } from '../../protocol/index.ts';
import { DeviceRegistry } from '../../gateway/devices/registry.ts';
import type { JournalRecord } from '../../gateway/journal/journal.ts';
import { MemoryJournal } from '../../gateway/journal/memory-journal.ts';
import { LimitWatch } from '../../gateway/limits/limit-watch.ts';
import { createLog, rateLimited } from '../../gateway/log.ts';
import type { Carrier } from '../../gateway/sessions/link/carrier.ts';
import { createLinkCounters, type Credential } from '../../gateway/sessions/link/link-context.ts';
import type { LinkSession } from '../../gateway/sessions/link/link-session.ts';
import { LinkTable, type Origin } from '../../gateway/sessions/link/link-table.ts';
import { TimerQueue } from '../../gateway/timers.ts';
import { must } from './target.ts';

/** Steps of one input at most. */
export const MAX_STEPS = 40;
/** Carriers that an input may use; one more is kept for a good device. */
export const CARRIERS = 3;
/** Sessions get the numbers from here on: the grammar can guess them. */
export const FIRST_SID = 1;

const ignore = (): void => undefined;
const log = createLog({ level: 'silent', pretty: false });

export class TestCarrier implements Carrier, Origin {
  readonly transport: 'tcp' | 'udp';
  readonly id: string;
  readonly address = '127.0.0.1';
  readonly paces = false;
  readonly plain = true;
  readonly paused = false;
  /** Plain messages down, and the sealed frames. */
  readonly sent: Message[] = [];
  readonly sealed: Uint8Array[] = [];
  readonly sessions: LinkSession[] = [];
  lastSid = 0;

  constructor(index: number) {
    this.transport = index === 0 ? 'udp' : 'tcp';
    this.id = `carrier-${index}`;
  }

  matches(carrier: Carrier): boolean {
    return carrier === this;
  }

  carrier(): Carrier {
    return this;
  }

  same(other: Carrier): boolean {
    return other === this;
  }

  send(frame: Uint8Array): boolean {
    must(frame.length <= MAX_DATAGRAM_BYTES, `a frame of ${frame.length} bytes`);
    if (isSealed(frame)) {
      this.sealed.push(frame);
      return true;
    }
    const decoded = decodeFrame(frame);
    must(decoded.ok && decoded.frame.down, 'the gateway has sent what is no frame down');
    const body = decodeBody(decoded.frame);
    must(body.ok, 'the gateway has sent a message that cannot be read');
    this.lastSid = decoded.frame.sid;
    this.sent.push(body.message);
    return true;
  }

  attach(session: LinkSession): void {
    this.sessions.push(session);
    must(this.sessions.length <= MAX_STEPS, 'more sessions than frames');
  }

  detach(session: LinkSession): void {
    this.sessions.splice(this.sessions.indexOf(session), 1);
  }

  pace(): void {}
  hold(): void {}
  letGo(): void {}
  acknowledged(): void {}
  pause(): void {}
  release(): void {}
}

class WatchedJournal extends MemoryJournal {
  readonly records: JournalRecord[] = [];

  override append(record: JournalRecord): number | undefined {
    this.records.push(record);
    return super.append(record);
  }
}

export class World {
  readonly carriers = Array.from({ length: CARRIERS + 1 }, (_, index) => new TestCarrier(index));
  readonly counters = {
    tcp: createLinkCounters(),
    udp: createLinkCounters(),
    unix: createLinkCounters(),
    serial: createLinkCounters(),
  };
  readonly #timers = new TimerQueue();
  readonly #journal = new WatchedJournal({ maxRecords: 20, maxHeld: 20 });
  readonly #table: LinkTable;
  #nowMs = 1_000;

  /** @param credentials of devices that have keys, by id */
  constructor(credentials: ReadonlyMap<string, Credential> = new Map()) {
    const limited = rateLimited(log, () => this.#nowMs);
    let random = FIRST_SID;
    const registry = new DeviceRegistry(new Map(), 8);
    this.#table = new LinkTable({
      registry,
      credentials,
      journal: this.#journal,
      timers: this.#timers,
      now: () => this.#nowMs,
      wallNow: () => 1_800_000_000_000 + this.#nowMs,
      randomU32: () => random++,
      limits: {
        handshakeMs: 5_000,
        frameMs: 10_000,
        keepaliveS: 30,
        window: 32,
        throttleMs: 60_000,
        sessionsPerConnection: 32,
        framesPerS: 1_000,
        bytesPerS: 1_000_000,
        schemaBytes: 4_096,
        channels: 64,
        commandsPerDevice: 16,
        handshakesPerS: 100_000,
        handshakesPerAddressPerS: 100_000,
      },
      admitHandshake: () => 0,
      watch: new LimitWatch(limited),
      counters: this.counters,
      listener: {
        online: ignore,
        offline: ignore,
        schema: ignore,
        deviceLog: ignore,
        lost: ignore,
        refused: ignore,
      },
      log: limited,
    });
    registry.onRemoved = (device) => this.#table.forget(device);
    this.#journal.onDurable = () => this.#table.onDurable();
    this.#journal.onRoom = () => this.#table.onRoom();
  }

  receive(frame: Uint8Array, carrier: TestCarrier): void {
    this.#table.receive(frame, carrier, this.counters[carrier.transport]);
  }

  endOfTurn(): void {
    this.#journal.commit();
    this.#table.sendAcks();
  }

  /** The broker has taken everything. */
  drain(): void {
    this.#journal.setAccepted(this.#journal.durable);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    this.#timers.run(this.#nowMs);
  }

  lose(carrier: TestCarrier): void {
    this.#table.carrierGone(carrier, carrier.sessions, 'closed');
    must(carrier.sessions.length === 0, 'a session without a connection');
  }

  /** Everything that was taken for good, of any device. */
  get records(): readonly JournalRecord[] {
    return this.#journal.records;
  }

  get framesCounted(): number {
    return Object.values(this.counters).reduce((sum, { frames }) => sum + frames, 0);
  }
}
