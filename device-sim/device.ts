/**
 * One simulated device: a sensor whose readings are planned ahead of time, and a link client that brings them to the gateway.
 *
 * ```
 *   Sensor ─ values at planned times ─→ sample ─→ SendWindow  ─→ LinkClient ─→ Transport
 *      ↑                                     └──→ ReportQueue ─→     │        (a sleepy node on datagrams)
 *      └──────────── COMMAND ──────────────────────────────────────┘
 * ```
 */
import {
  type Acknowledged,
  type MessageOf,
  type Sample,
  SendWindow,
  type Value,
  encodeBody,
  encodeSchemaParts,
} from '../protocol/index.ts';
import { CommandMemory, type Outcome } from './command-memory.ts';
import { LinkClient, type LinkState } from './link-client.ts';
import type { Model, Sensor, WriteResult } from './models/model.ts';
import type { Random } from './random.ts';
import { ReportQueue } from './report-queue.ts';
import { type Scheduler, type Task, task } from './scheduler.ts';
import type { Timing } from './timing.ts';
import type { Dial, TransportKind } from './transports/transport.ts';

export interface DeviceOptions {
  readonly id: bigint;
  /** Of 32 bytes; without one it speaks plain. */
  readonly key: Uint8Array | undefined;
  readonly model: Model;
  /** Number of this boot; 0 asks the gateway for one. */
  readonly boot: number;
  readonly kind: TransportKind;
  readonly dial: Dial;
  /** Mean time between readings, in milliseconds. */
  readonly periodMs: number;
  /** Readings to take before leaving, at least 1; undefined: until told to finish. */
  readonly count?: number | undefined;
  /** Frames that its buffer holds. */
  readonly bufferFrames: number;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly timing: Timing;
}

/** What a device tells its owner. */
export interface DeviceEvents {
  /** The gateway has promised to keep this reading. */
  onReadingAcknowledged(device: Device, boot: number, seq: number): void;
  onCommand(device: Device, command: MessageOf<'COMMAND'>, status: Outcome['status']): void;
  /** Something to count: a stable code. */
  onTrouble(device: Device, code: string): void;
  /** It has said BYE, or was cut off, and does nothing more. */
  onGone(device: Device): void;
}

/** SCHEMA contents are cut so small that the frames suit a microcontroller. */
const SCHEMA_PART_BYTES = 112;
const BYTES_A_FRAME = 256;
/** Readings made up for in one go when the clock has run ahead of us. */
const READINGS_A_WAKE = 100;

export class Device {
  readonly id: bigint;
  /** The id as 16 hexadecimal digits. */
  readonly idText: string;
  readonly model: Model;
  readonly kind: TransportKind;
  readonly #options: DeviceOptions;
  readonly #events: DeviceEvents;
  readonly #sensor: Sensor;
  readonly #window: SendWindow;
  readonly #reports: ReportQueue | undefined;
  readonly #commands = new CommandMemory();
  readonly #client: LinkClient;
  readonly #task: Task = task((nowMs) => this.#wake(nowMs));
  #bootedAt = 0;
  /** When the next reading is planned, in uptime; Infinity when there is none to come. */
  #plannedMs = 0;
  #taken = 0;
  /** When it may leave, if it has nothing more to send; Infinity as long as there are readings to come. */
  #leaveAt = Number.POSITIVE_INFINITY;
  #waking = false;
  #sent = 0;
  #acknowledged = 0;
  #retransmitted = 0;
  #reconnects = 0;

  constructor(options: DeviceOptions, events: DeviceEvents) {
    const { id, key, model, boot, kind, dial, bufferFrames, random, scheduler, timing } = options;
    this.id = id;
    this.idText = id.toString(16).padStart(16, '0');
    this.model = model;
    this.kind = kind;
    this.#options = options;
    this.#events = events;
    this.#sensor = model.create(random.fork('values'));
    const jitter = random.fork('jitter');
    this.#window = new SendWindow({
      maxFrames: bufferFrames,
      maxBytes: bufferFrames * BYTES_A_FRAME,
      random: () => jitter.float(),
    });
    const sleepy = model.sleepy && kind === 'udp';
    this.#reports = sleepy ? new ReportQueue(bufferFrames, timing, jitter) : undefined;
    this.#client = new LinkClient(
      {
        device: id,
        key,
        boot,
        schemaParts: encodeSchemaParts(model.schema, SCHEMA_PART_BYTES),
        takesCommands: this.#sensor.write !== undefined,
        hasClock: model.hasClock,
        sleepy,
        window: this.#window,
        dial,
        random: jitter,
        timing,
        now: () => scheduler.now(),
        uptime: (nowMs) => this.#uptime(nowMs),
      },
      {
        onAcknowledged: (frames) => this.#framesAcknowledged(frames),
        onReportAcknowledged: (seq) => {
          if (this.#reports?.onAck(seq) === true) this.#readingAcknowledged(seq);
        },
        onCommand: (command, nowMs) => this.#command(command, nowMs),
        onBusy: (retryAfterMs, nowMs) => this.#reports?.onBusy(nowMs + retryAfterMs),
        onRetransmission: () => {
          this.#retransmitted += 1;
        },
        onReconnect: () => {
          this.#reconnects += 1;
        },
        onTrouble: (code) => events.onTrouble(this, code),
        onChange: () => this.#reschedule(),
        onGone: () => {
          scheduler.cancel(this.#task);
          events.onGone(this);
        },
      },
    );
  }

  get state(): LinkState {
    return this.#client.state;
  }

  get boot(): number {
    return this.#client.boot;
  }

  /** Readings created; each has an identity of its own. */
  get sent(): number {
    return this.#sent;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Readings given up because the buffer was full. */
  get dropped(): number {
    return this.#window.dropped + (this.#reports?.dropped ?? 0);
  }

  /** Frames sent again. */
  get retransmitted(): number {
    return this.#retransmitted;
  }

  /** Connections or sessions lost and built again. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Frames that still wait for their ACK. */
  get pending(): number {
    return this.#window.pending + (this.#reports?.pending ?? 0);
  }

  /** Boots at `atMs` on the scheduler's clock; its first reading comes within a period after that. */
  start(atMs: number): void {
    this.#bootedAt = atMs;
    const { periodMs, random } = this.#options;
    this.#plannedMs = random.fork('phase').between(0, periodMs);
    this.#options.scheduler.at(this.#task, atMs);
  }

  /** Takes no more readings, and leaves when everything is acknowledged, but not sooner than in `afterMs`. */
  finish(afterMs: number): void {
    this.#leaveAt = this.#options.scheduler.now() + afterMs;
    this.#plannedMs = Number.POSITIVE_INFINITY;
    this.#reschedule();
  }

  /** Leaves now, whatever is still unacknowledged. */
  cut(): void {
    this.#plannedMs = Number.POSITIVE_INFINITY;
    this.#client.leave(this.#options.scheduler.now());
  }

  #uptime(nowMs: number): number {
    return Math.max(0, Math.floor(nowMs - this.#bootedAt)) >>> 0;
  }

  #wake(nowMs: number): void {
    this.#waking = true;
    this.#takeReadings(nowMs);
    if (nowMs >= this.#leaveAt && this.pending === 0) this.#client.leave(nowMs);
    this.#client.wake(nowMs);
    this.#sendReports(nowMs);
    this.#waking = false;
    this.#reschedule();
  }

  #reschedule(): void {
    if (this.#waking || this.#client.state === 'closed') return;
    let dueMs = Math.min(this.#client.nextAt, this.#bootedAt + this.#plannedMs);
    if (this.#client.state === 'asleep' && this.#reports !== undefined) dueMs = Math.min(dueMs, this.#reports.nextAt);
    if (this.pending === 0 && this.#client.state !== 'leaving') dueMs = Math.min(dueMs, this.#leaveAt);
    if (dueMs === Number.POSITIVE_INFINITY) this.#options.scheduler.cancel(this.#task);
    else this.#options.scheduler.at(this.#task, dueMs);
  }

  #takeReadings(nowMs: number): void {
    const { periodMs, count } = this.#options;
    for (let n = 0; n < READINGS_A_WAKE && this.#bootedAt + this.#plannedMs <= nowMs; n++) {
      this.#take(this.#sensor.read(this.#plannedMs), this.#plannedMs);
      this.#taken += 1;
      if (count !== undefined && this.#taken >= count) {
        this.#plannedMs = Number.POSITIVE_INFINITY;
        this.#leaveAt = nowMs;
      } else {
        this.#plannedMs += this.#sensor.waitMs?.(periodMs) ?? periodMs;
      }
    }
  }

  /** Makes a reading of values measured at this uptime. */
  #take(values: Value[], uptimeMs: number): void {
    const samples = [this.#sample(values, uptimeMs)];
    this.#sent += 1;
    if (this.#reports !== undefined) this.#reports.push(samples);
    // When even this one had to be dropped, the window counts it and a GAP tells of it.
    else this.#window.push('READINGS', encodeBody({ type: 'READINGS', samples }));
  }

  #sample(values: Value[], uptimeMs: number): Sample {
    const unixMs = this.model.hasClock ? this.#client.unixMs(this.#bootedAt + uptimeMs) : undefined;
    if (unixMs !== undefined) return { timeKind: 'unix', time: unixMs, values };
    return { timeKind: 'uptime', time: Math.floor(uptimeMs) >>> 0, values };
  }

  #sendReports(nowMs: number): void {
    const reports = this.#reports;
    if (reports === undefined || this.#client.state !== 'asleep' || nowMs < reports.nextAt) return;
    if (reports.tries >= this.#options.timing.reportTries) {
      this.#client.redial(nowMs);
      reports.restart();
      return;
    }
    const next = reports.next(this.id, this.#client.boot, this.#uptime(nowMs), nowMs);
    if (next === undefined) return;
    if (next.again) this.#retransmitted += 1;
    this.#client.sendReport(next.message, next.seq);
  }

  #framesAcknowledged(frames: readonly Acknowledged[]): void {
    for (const { name, seq } of frames) {
      if (name === 'READINGS') this.#readingAcknowledged(seq);
      else if (name === 'RESULT') this.#commands.acknowledged(seq);
    }
  }

  #readingAcknowledged(seq: number): void {
    this.#acknowledged += 1;
    this.#events.onReadingAcknowledged(this, this.#client.boot, seq);
  }

  #command(command: MessageOf<'COMMAND'>, nowMs: number): void {
    const { id, value } = command;
    const known = this.#commands.get(id);
    // Its RESULT is under way, and repeated by the window.
    if (known?.seq !== undefined && !known.acknowledged) return;
    const outcome = known ?? this.#commands.remember(id, this.#execute(value));
    outcome.seq = this.#window.push('RESULT', encodeBody({ type: 'RESULT', id, status: outcome.status, text: '' }));
    outcome.acknowledged = false;
    if (known !== undefined) return;
    this.#events.onCommand(this, command, outcome.status);
    if (outcome.status === 'done') this.#take(this.#sensor.read(this.#uptime(nowMs)), this.#uptime(nowMs));
  }

  #execute(value: Value): WriteResult {
    const channel = this.model.schema.channels.find(({ number }) => number === value.channel);
    if (channel === undefined) return 'unknown_channel';
    if (!channel.writable || this.#sensor.write === undefined) return 'refused';
    return this.#sensor.write(value);
  }
}
