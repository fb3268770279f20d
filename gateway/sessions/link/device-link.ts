/**
 * What the gateway keeps of a device on the link protocol, beyond its sessions: the boot, which reliable frames have
 * come, and up to where they are durable. From here readings go into the journal and ACKs come back.
 *
 * ```
 *   READINGS ─→ receive window (order, no duplicates) ─→ journal.append ─→ lsn ─┐
 *   ACK      ←─ highest seq whose lsn is durable ←──────────────────────────────┘
 * ```
 */
import {
  encodeMessage,
  type MessageOf,
  ReceiveWindow,
  type Sample,
  type Schema,
  SchemaAssembler,
} from '../../../protocol/index.ts';
import type { RegisteredDevice } from '../../devices/registry.ts';
import type { Transport } from '../../devices/device.ts';
import { DeviceRate } from '../../limits/device-rate.ts';
import { BootTable } from './boot-table.ts';
import type { Carrier } from './carrier.ts';
import { CommandQueue } from './command-queue.ts';
import type { DeviceClock } from './device-clock.ts';
import { count, type LinkContext, type LinkCounters } from './link-context.ts';
import type { LinkSession } from './link-session.ts';
import { mapTimes } from './sample-times.ts';

/** Messages that keep their place in the order of a device's reliable frames. */
export type ReliableMessage = MessageOf<'READINGS' | 'RESULT' | 'LOG' | 'GAP'>;

const MAX_U32 = 2 ** 32 - 1;

interface ReliableFrame {
  readonly seq: number;
  readonly message: ReliableMessage;
}

interface Reporter {
  readonly carrier: Carrier;
  readonly seq: number;
  readonly lsn: number;
  readonly encode: (ack: MessageOf<'ACK'>) => Uint8Array | undefined;
}

export class DeviceLink {
  readonly device: RegisteredDevice;
  readonly #context: LinkContext;
  readonly #onAckDue: (link: DeviceLink) => void;
  session: LinkSession | undefined;
  /** Readings that the device had to drop, as it said. */
  lost = 0;
  /** Frames that had come before. */
  duplicates = 0;
  /** As its last HELLO said. */
  takesCommands = false;
  /** What the device said of its clock at HELLO, and at its latest REPORT. */
  clock: DeviceClock | undefined;
  reportClock: DeviceClock | undefined;
  /** CRC of the schema that the device names; 0: it has none. */
  schemaCrc = 0;
  /** True while an ACK waits for the end of the turn. */
  ackDue = false;
  #boot = 0;
  #window = new ReceiveWindow<ReliableFrame>(1);
  /** Delivered frames that are not durable yet: their seqs and the lsns they wait for, oldest first. */
  #waitingSeq: number[] = [];
  #waitingLsn: number[] = [];
  /** The newest frame of this boot that went on. */
  #delivered = 0;
  /** Every reliable frame of this boot up to and including this seq is durable. */
  #durableSeq = 0;
  /** The journal had no room for frames that were taken already. */
  #stuck = false;
  /** Recent boots but that of the session. */
  readonly #boots = new BootTable();
  /** Where the REPORT came from whose ACK is due, and what has to be durable for it. */
  #reporter: Reporter | undefined;
  #knownSchemaCrc = 0;
  #assembler: SchemaAssembler | undefined;
  #commands: CommandQueue | undefined;
  #rate: DeviceRate | undefined;
  /** How often its rate was used up: frames not taken (UDP), or waits before the next is read. */
  slowed = 0;
  /** Values of channels beyond the limit, and samples with an impossible time. */
  omitted = 0;
  badTime = 0;

  constructor(context: LinkContext, device: RegisteredDevice, onAckDue: (link: DeviceLink) => void) {
    this.#context = context;
    this.device = device;
    this.#onAckDue = onAckDue;
    const { restored } = device;
    if (restored === undefined) return;
    this.#boots.set(restored.boot, restored.nextSeq);
    this.#knownSchemaCrc = restored.schemaCrc;
  }

  /** The present boot's number; 0 before the first. */
  get boot(): number {
    return this.#boot === 0 ? this.#boots.highest : this.#boot;
  }

  /** The highest boot number known, of sessions and REPORTs. */
  get newestBoot(): number {
    return Math.max(this.#boot, this.#boots.highest);
  }

  /** A boot number that the device has not had, for one that cannot count them: higher, also after our restart. */
  newBoot(): number {
    const seconds = Math.floor(this.#context.wallNow() / 1_000);
    const boot = Math.max(this.newestBoot + 1, seconds);
    return boot <= MAX_U32 ? boot : seconds;
  }

  /** Whether frames that were taken wait for the journal. */
  get waiting(): boolean {
    return this.#waitingSeq.length > 0 || this.#stuck || this.#reporter !== undefined;
  }

  /** The device promised a schema that we do not have. */
  get schemaWanted(): boolean {
    return this.wantsSchema(this.schemaCrc);
  }

  /** Whether a device that names this CRC would be asked for its schema. */
  wantsSchema(crc: number): boolean {
    return crc !== 0 && crc !== this.#knownSchemaCrc;
  }

  /** Commands that go down to the device; what waits survives its sessions. */
  get commands(): CommandQueue {
    this.#commands ??= new CommandQueue(
      this.#context.timers,
      () => this.#context.now(),
      this.#context.randomU32(),
      (id, ttlS, value) => (this.takesCommands && this.session?.sendCommand(id, ttlS, value)) || 'unsent',
      this.#context.limits.commandsPerDevice,
      () => this.#context.watch.bite('commands_per_device', this.device.id, 'a command was refused'),
    );
    return this.#commands;
  }

  /**
   * Puts a frame on the device's account. A carrier that can be read more slowly is, and nothing is lost; from one that
   * cannot (datagrams), false says that the frame must be dropped, and the device told to wait for `waitS`.
   */
  admits(carrier: Carrier, bytes: number): boolean {
    const { limits, watch } = this.#context;
    const now = this.#context.now();
    const rate = (this.#rate ??= new DeviceRate(limits, now));
    if (!carrier.paces && rate.waitMs(now) > 0) {
      this.slowed++;
      watch.bite(rate.scarce, this.device.id, 'frames of the device are not taken');
      return false;
    }
    rate.charge(bytes, now);
    const waitMs = carrier.paces ? rate.waitMs(now) : 0;
    carrier.pace(waitMs);
    if (waitMs > 0) {
      this.slowed++;
      watch.bite(rate.scarce, this.device.id, 'the device is read more slowly');
    }
    return true;
  }

  /** Whole seconds until the device's account is even again; at least 1. */
  get waitS(): number {
    return Math.max(1, Math.ceil((this.#rate?.waitMs(this.#context.now()) ?? 0) / 1_000));
  }

  /** A new session begins: `firstSeq` is the oldest reliable frame that will still come in this boot. */
  begin(boot: number, firstSeq: number, counters: LinkCounters): void {
    // The device has dropped what lies before: frames that waited for it need not wait any longer. Those of an earlier
    // boot were promised to nobody, but they are here.
    const before = this.#window.next;
    this.#window.skipTo(boot === this.#boot ? firstSeq : MAX_U32);
    if (this.#drain(counters) || this.#stuck) this.acknowledge();
    if (boot !== this.#boot) this.#startBoot(boot, firstSeq, Math.max(before, this.#delivered + 1));
    else if (this.#window.next !== before) this.#note();
    this.#settle();
  }

  /** The session stands: what had to wait for it goes out. */
  resumeCommands(): void {
    this.#commands?.restart();
  }

  /**
   * Gives up what waits for the device; `why` is for the people who wait. How far it has come stays with the device, for
   * whoever takes it up again: an old boot must not look new then.
   */
  forget(why: string): void {
    this.#commands?.close(why);
    const { id, schema } = this.device;
    const boot = this.newestBoot;
    if (boot === 0) return;
    const nextSeq = boot === this.#boot ? this.#window.next : (this.#boots.next(boot) ?? 1);
    this.device.restored = { id, boot, nextSeq, schema, schemaCrc: this.#knownSchemaCrc };
  }

  /** The journal has room again for what it had none for. */
  onRoom(): void {
    if (!this.#stuck) return;
    this.#drain(this.#context.counters[this.device.transport ?? 'udp']);
    this.acknowledge();
  }

  /** One part of the schema. Returns an error code of the assembler when the schema cannot be used. */
  schemaPart(part: MessageOf<'SCHEMA'>): string | undefined {
    const { limits, watch } = this.#context;
    this.#assembler ??= new SchemaAssembler(limits.schemaBytes);
    const outcome = this.#assembler.add(part);
    if (outcome === 'more') return undefined;
    const schema: Schema | undefined = this.#assembler.schema;
    this.#assembler = undefined;
    if (outcome === 'schema-too-large') watch.bite('schema_bytes', this.device.id, 'its schema was refused');
    if (outcome !== 'complete' || schema === undefined) return outcome;
    if (schema.channels.length > limits.channels) {
      watch.bite('channels', this.device.id, 'its schema was refused');
      return 'too-many-channels';
    }
    if (part.crc !== this.schemaCrc) return 'another-schema';
    if (this.#knownSchemaCrc !== part.crc) {
      this.#knownSchemaCrc = part.crc;
      this.device.declare(schema);
      this.#note();
      this.#context.listener.schema(this.device);
    }
    this.acknowledge();
    return undefined;
  }

  /**
   * Takes a reliable frame of the session. What is in order goes on at once, what lies beyond a hole waits, what came
   * before is acknowledged again. False when the journal is full: nothing was taken, and the device has to wait.
   */
  offer(seq: number, message: ReliableMessage, counters: LinkCounters): boolean {
    if (this.#context.journal.full) {
      counters.busy++;
      return false;
    }
    const missing = message.type === 'GAP' ? this.#window.gap(message.first, seq) : 0;
    const place = this.#window.offer(seq, { seq, message });
    if (place === 'duplicate') {
      counters.duplicates++;
      this.duplicates++;
    } else if (place === 'hold') counters.held++;
    // The place of a GAP may be taken by the very frame that it replaces; what lies before is lost all the same.
    if (message.type === 'GAP' && message.lost > 0 && (missing > 0 || place !== 'duplicate')) {
      this.lost += message.lost;
      this.#context.listener.lost(this.device, message.lost);
    }
    this.#drain(counters);
    this.acknowledge();
    return true;
  }

  /** Whether a REPORT is the next of its boot, as far as is known. */
  isNewReport(boot: number, seq: number): boolean {
    return seq >= (boot === this.#boot ? this.#window.next : (this.#boots.next(boot) ?? 0));
  }

  /**
   * Takes a REPORT: one outstanding at a time, so whatever is not newer than the last is a repetition. False when the
   * journal is full. `encode` makes the frame of its ACK, if that can be.
   */
  report(
    message: MessageOf<'REPORT'>,
    seq: number,
    carrier: Carrier,
    counters: LinkCounters,
    encode: (ack: MessageOf<'ACK'>) => Uint8Array | undefined = encodePlain,
  ): boolean {
    if (this.#context.journal.full) {
      counters.busy++;
      return false;
    }
    // A copy may come late, also from a boot before the present one: it disturbs neither session nor newer reports.
    const ofSession = message.boot === this.#boot;
    if (!this.isNewReport(message.boot, seq)) {
      counters.duplicates++;
    } else {
      this.#append(message.boot, seq, message.samples, this.reportClock, carrier.transport, counters);
      if (ofSession) {
        this.#window.skipTo(seq + 1);
        this.#drain(counters);
      } else this.#boots.set(message.boot, seq + 1);
    }
    carrier.hold();
    this.#reporter?.carrier.letGo();
    this.#reporter = { carrier, seq, lsn: this.device.newestLsn, encode };
    this.acknowledge();
    return true;
  }

  /** An ACK is due at the end of this turn. */
  acknowledge(): void {
    if (this.ackDue) return;
    this.ackDue = true;
    this.#onAckDue(this);
  }

  /** Sends what there is to acknowledge; called at the end of a turn and when the journal has become durable. */
  sendAck(): void {
    this.ackDue = false;
    this.#settle();
    const { session } = this;
    if (session !== undefined) {
      const flags = { schemaWanted: this.schemaWanted };
      const seq = this.#durableSeq;
      session.send({ type: 'ACK', seq, map: this.#window.mapAfter(seq), flags });
      session.carrier.acknowledged();
    }
    this.#answerReport();
  }

  /** `reached` is how far the boot before has come. */
  #startBoot(boot: number, firstSeq: number, reached: number): void {
    if (this.#boot !== 0) this.#boots.set(this.#boot, reached);
    const next = Math.max(firstSeq, this.#boots.next(boot) ?? 1);
    this.#boot = boot;
    this.#window = new ReceiveWindow(next);
    this.#stuck = false;
    // What came of this boot before, perhaps in an earlier run, counts once the journal has made all durable that it has.
    this.#waitingSeq = [next - 1];
    this.#waitingLsn = [this.device.newestLsn];
    this.#delivered = next - 1;
    this.#durableSeq = 0;
    this.#note();
  }

  /** Where we are, for the time after a restart, as far as no record says it. */
  #note(): void {
    const { id, schema } = this.device;
    const state = { id, boot: this.#boot, nextSeq: this.#window.next, schema, schemaCrc: this.#knownSchemaCrc };
    this.#context.journal.noteDevice(state);
  }

  /**
   * Delivers what is in order, as far as the journal has room: what many devices have set free at once may be more. The
   * rest stays in the window, unacknowledged, until `onRoom`. Whether there was anything.
   */
  #drain(counters: LinkCounters): boolean {
    let some = false;
    while (!this.#context.journal.full) {
      const next = this.#window.take();
      this.#stuck = next !== undefined;
      if (next === undefined) return some;
      this.#deliver(next.seq, next.message, counters);
      some = true;
    }
    this.#stuck = this.#window.ready > 0;
    return some;
  }

  #deliver(seq: number, message: ReliableMessage, counters: LinkCounters): void {
    this.#delivered = seq;
    switch (message.type) {
      case 'READINGS':
        this.#waitingLsn.push(
          this.#append(this.#boot, seq, message.samples, this.clock, this.session?.carrier.transport, counters),
        );
        this.#waitingSeq.push(seq);
        return;
      case 'RESULT': {
        // A later version may have more words; one that we do not know is not "done".
        const status = message.status === 'unknown' ? 'failed' : message.status;
        if (!this.commands.result(message.id, status, message.text)) count(counters.rejected, 'result-unexpected');
        break;
      }
      case 'LOG':
        this.#context.listener.deviceLog(
          this.device,
          message.level === 'unknown' ? 'info' : message.level,
          message.text,
        );
        break;
      case 'GAP':
        break;
    }
    // Acknowledged in its turn: not before the readings that it follows.
    this.#waitingSeq.push(seq);
    this.#waitingLsn.push(this.device.newestLsn);
  }

  /** Puts the readings into the journal and returns their lsn. */
  #append(
    boot: number,
    seq: number,
    samples: Sample[],
    clock: DeviceClock | undefined,
    transport: Transport | undefined,
    counters: LinkCounters,
  ): number {
    if (transport !== undefined) this.device.transport = transport;
    this.#declareByUse(samples, counters);
    // All values were left out: it is as durable as what came before.
    if (samples.length === 0) return this.device.newestLsn;
    const receivedAt = this.#context.wallNow();
    // Now and not when it came: what waited for a hole must not look older than what filled it.
    const impossible = mapTimes(samples, clock, this.#context.now(), receivedAt);
    if (impossible > 0) this.#tellBadTime(impossible, counters);
    const lsn = this.#context.journal.append({ device: this.device, boot, seq, receivedAt, samples });
    if (lsn === undefined) throw new Error('the journal refused a record though it is not full');
    this.device.newestLsn = lsn;
    counters.readings++;
    return lsn;
  }

  /** Channels appear when they are used, as far as there may be more of them. */
  #declareByUse(samples: Sample[], counters: LinkCounters): void {
    const omitted = this.device.declareByUse(samples, this.#context.limits.channels);
    if (omitted === 0) return;
    counters.omitted += omitted;
    this.omitted += omitted;
    this.#context.watch.bite('channels', this.device.id, 'values of further channels are left out');
  }

  #tellBadTime(samples: number, counters: LinkCounters): void {
    counters.badTime += samples;
    this.badTime += samples;
    const { id } = this.device;
    this.#context.log.warn(
      `bad-time ${id}`,
      { device: id, samples },
      `${id} sends an impossible time (before 2020, or more than a day ahead), so its readings are dated by their arrival: its clock should be set from WELCOME or PONG`,
    );
  }

  /** Moves `durableSeq` over what has become durable. */
  #settle(): void {
    const durable = this.#context.journal.durable;
    let settled = 0;
    while (settled < this.#waitingLsn.length && (this.#waitingLsn[settled] as number) <= durable) settled++;
    if (settled > 0) {
      this.#durableSeq = this.#waitingSeq[settled - 1] as number;
      if (settled === this.#waitingSeq.length) {
        this.#waitingSeq.length = 0;
        this.#waitingLsn.length = 0;
      } else {
        this.#waitingSeq.splice(0, settled);
        this.#waitingLsn.splice(0, settled);
      }
    }
    // Nothing waits: frames that were given up count as done, too.
    if (this.#waitingSeq.length === 0) this.#durableSeq = this.#window.next - 1;
  }

  #answerReport(): void {
    const reporter = this.#reporter;
    if (reporter === undefined || this.#context.journal.durable < reporter.lsn) return;
    this.#reporter = undefined;
    const flags = { schemaWanted: this.device.schema === undefined };
    const ack = reporter.encode({ type: 'ACK', seq: reporter.seq, map: 0, flags });
    if (ack !== undefined) reporter.carrier.send(ack);
    reporter.carrier.letGo();
  }
}

function encodePlain(ack: MessageOf<'ACK'>): Uint8Array {
  return encodeMessage(ack, { sid: 0, seq: 0, down: true });
}
