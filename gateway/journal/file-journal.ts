/**
 * The durable journal: records in memory until they are on disk, and the newest of them for as long as they fit.
 *
 * ```
 *   append ─→ pending ─ commit ─→ in flight ─ write, sync ─→ durable        at most one group in flight
 *              └───────────────── ring ─────────────────────────┘ └─ older ones are read from the segments again
 * ```
 *
 * A group goes at once when the last one went an interval ago, else when the interval is over or 64 KiB have come
 * together: then the data itself, not the sync, is what wears the disk.
 */
import type { Device } from '../devices/device.ts';
import type { DeviceStates } from './device-states.ts';
import { storedDevice } from './device-states.ts';
import type { JournalFs } from './journal-fs.ts';
import { APPEND_HEADROOM, type DeviceState, type Journal, type JournalRecord, type JournalStats } from './journal.ts';
import { field, type IdHalves, idHalves, idOf, KIND, kindAt, lsnAt, RecordBuffer, readRecord } from './record-codec.ts';
import type { RecoveredJournal } from './recovery.ts';
import { SegmentReader } from './segment-reader.ts';
import { type Group, SegmentWriter, type SegmentWriterOptions, TroubleError } from './segment-writer.ts';

/** What happens that somebody should know; `problem` is a stable word. */
export interface JournalEvent {
  readonly problem: string;
  readonly file?: string;
  readonly records?: number;
  readonly error?: unknown;
}

export interface FileJournalOptions {
  readonly fs: JournalFs;
  /** A new random one, 16 hex digits, for a journal that has none. */
  readonly newId: () => string;
  readonly durability: 'power' | 'process';
  readonly syncIntervalMs: number;
  readonly segmentBytes: number;
  readonly maxBytes: number;
  readonly minFreeBytes: number;
  readonly holdMs: number;
  /** Devices whose state is kept. */
  readonly maxDevices: number;
  /** Records kept in memory after they are durable. */
  readonly cacheRecords: number;
  /** Records that wait for the disk before devices are told to wait. */
  readonly maxPending: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onEvent: (event: JournalEvent) => void;
  /** Called at the end of `close`. */
  readonly closed?: () => Promise<void>;
}

interface InFlight {
  readonly buffer: RecordBuffer;
  readonly group: Group;
  readonly lastLsn: number;
}

/** Devices that records read from disk were of; more than these are looked up again. */
const MAX_KNOWN = 4_096;
const EARLY_BYTES = 65_536;
const MAX_PENDING_BYTES = 4_194_304;
const RETRY_MS = 1_000;
/** An `accepted` that no group has noted is noted after this time, so that a restart does not send much again. */
const NOTE_ACCEPTED_MS = 60_000;

export class FileJournal implements Journal {
  onAppended: ((record: JournalRecord) => void) | undefined;
  onDurable: (() => void) | undefined;
  onRoom: (() => void) | undefined;
  onLoaded: (() => void) | undefined;
  readonly id: string;
  readonly #options: FileJournalOptions;
  readonly #writer: SegmentWriter;
  readonly #reader: SegmentReader;
  #restore: ((state: DeviceState) => Device) | undefined;
  #prepare: ((record: JournalRecord) => void) | undefined;
  #recovered: RecoveredJournal | undefined;
  /** By device id; in the order in which they came to be known. */
  readonly #devices = new Map<string, Device>();
  readonly #halves = new WeakMap<Device, IdHalves>();

  /** Slot = lsn modulo its length, a power of two. Holds `#ringFrom` … `#next` − 1. */
  readonly #ring: (JournalRecord | undefined)[];
  #ringFrom = 1;
  #next = 1;
  #durable = 0;
  #accepted = 0;
  #notedAccepted = 0;
  #firstLsn = 1;

  #pending = new RecordBuffer();
  #spare = new RecordBuffer();
  #inFlight: InFlight | undefined;
  #writing: Promise<void> | undefined;
  #lastWriteAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #noteTimer: NodeJS.Timeout | undefined;
  #trouble: string | undefined;
  #full = false;
  #refused = 0;
  #damaged: number;
  #oldestAt: { readonly lsn: number; readonly at: number } | undefined;
  #closed = false;

  constructor(options: FileJournalOptions, recovered: RecoveredJournal) {
    const { fs, segmentBytes, maxBytes, cacheRecords, maxPending } = options;
    if (maxBytes < 3 * segmentBytes) throw new RangeError('maxBytes must be three times segmentBytes at least');
    if (!(maxPending >= 1 && cacheRecords >= 0)) throw new RangeError('maxPending and cacheRecords must be positive');
    this.#options = options;
    this.#recovered = recovered;
    this.id = recovered.journalId ?? options.newId();
    this.#damaged = recovered.damaged;
    let slots = 64;
    while (slots < cacheRecords + maxPending + APPEND_HEADROOM) slots *= 2;
    this.#ring = Array.from({ length: slots });
    const { minFreeBytes, holdMs, now } = options;
    const writerOptions: SegmentWriterOptions = {
      fs,
      journalId: this.id,
      recovered,
      segmentBytes,
      maxBytes,
      minFreeBytes,
      holdMs,
      sync: options.durability === 'power',
      now,
      tell: (problem, file, error) => options.onEvent({ problem, file, ...(error !== undefined && { error }) }),
    };
    this.#writer = new SegmentWriter(writerOptions);
    this.#reader = new SegmentReader({
      fs,
      find: (lsn) => this.#writer.find(lsn),
      decode: (bytes, at) => this.#decode(bytes, at),
      loaded: () => this.onLoaded?.(),
      damaged: (segment, records) => {
        segment.damaged = true;
        this.#damaged++;
        options.onEvent({ problem: 'damaged', file: segment.name, records });
      },
    });
  }

  async open(restore: (state: DeviceState) => Device, prepare?: (record: JournalRecord) => void): Promise<void> {
    const recovered = this.#recovered;
    if (recovered === undefined) throw new TypeError('open is called once');
    this.#recovered = undefined;
    this.#restore = restore;
    this.#prepare = prepare;
    await this.#writer.tidy();
    const { durable, accepted, lastGroup, lastLsn, states } = recovered;
    this.#durable = durable;
    this.#accepted = accepted;
    this.#notedAccepted = accepted;
    this.#next = lastLsn + 1;
    this.#firstLsn = lastLsn + 1;
    this.#ringFrom = durable + 1;
    // The states as of the last record, though they are not durable yet: so it is in a running journal, too.
    for (const { state, newestLsn } of withGroup(states, lastGroup)) {
      const device = restore(state);
      device.newestLsn = newestLsn;
      this.#know(device);
    }
    this.#loadLastGroup(lastGroup);
    this.#pending.raw(lastGroup);
    await this.#flush(true);
    this.#noteTimer = setInterval(() => this.#noteAccepted(), NOTE_ACCEPTED_MS);
    this.#noteTimer.unref();
  }

  append(record: JournalRecord): number | undefined {
    if (this.#full && this.#next - 1 - this.#durable >= this.#options.maxPending + APPEND_HEADROOM) {
      this.#refused++;
      return undefined;
    }
    const lsn = this.#next;
    this.#pending.record(lsn, this.#halves.get(record.device) ?? this.#know(record.device), record);
    this.#next = lsn + 1;
    const ring = this.#ring;
    if (lsn - this.#ringFrom >= ring.length) this.#ringFrom++;
    ring[lsn & (ring.length - 1)] = record;
    if (!this.#full) this.#full = this.#overFull();
    this.onAppended?.(record);
    return lsn;
  }

  noteDevice(state: DeviceState): void {
    // While nothing becomes durable, notes must not fill the memory; without them a device only says something again.
    if (this.#pending.length >= 2 * MAX_PENDING_BYTES) return;
    this.#pending.device(this.#next, storedDevice(state, 0));
  }

  commit(): void {
    if (this.#pending.length === 0 || this.#writing !== undefined || this.#trouble !== undefined) return;
    if (this.#closed || this.#restore === undefined) return;
    const due = this.#lastWriteAt + this.#options.syncIntervalMs - this.#options.now();
    if (due <= 0 || this.#pending.length >= EARLY_BYTES) void this.#flush(false);
    else this.#timer ??= setTimeout(() => this.#onTimer(), due);
  }

  get durable(): number {
    return this.#durable;
  }

  get full(): boolean {
    return this.#full;
  }

  get(lsn: number): JournalRecord | 'loading' | undefined {
    if (lsn > this.#durable || lsn < this.oldest) return undefined;
    if (lsn >= this.#ringFrom) return this.#ring[lsn & (this.#ring.length - 1)];
    return this.#reader.get(lsn);
  }

  get oldest(): number {
    return Math.min(this.#writer.segments[0]?.firstLsn ?? this.#durable + 1, this.#durable + 1);
  }

  get accepted(): number {
    return this.#accepted;
  }

  setAccepted(lsn: number): void {
    const accepted = Math.max(this.oldest - 1, Math.min(lsn, this.#durable));
    if (accepted === this.#accepted) return;
    this.#accepted = accepted;
    if (this.#writer.accepted(accepted) && this.#trouble === 'journal-full') this.#retrySoon(0);
  }

  setConfirmed(lsn: number): void {
    this.#writer.confirmed(lsn);
  }

  /** Records that are in memory at present. */
  get recordsInMemory(): number {
    return this.#next - this.#ringFrom + this.#reader.size;
  }

  get stats(): JournalStats {
    const { syncs, bytesWritten, bytesOnDisk } = this.#writer;
    return {
      depth: this.#next - 1 - this.#accepted,
      oldestAt: this.#oldestTime(),
      held: Math.max(0, this.#accepted + 1 - this.oldest),
      appended: this.#next - this.#firstLsn,
      accepted: this.#accepted,
      refused: this.#refused,
      syncs,
      bytesWritten,
      bytesOnDisk,
      damaged: this.#damaged,
      trouble: this.#trouble,
    };
  }

  /** What is pending gets one more try. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#noteTimer);
    await this.#writing;
    const toSay = this.#inFlight !== undefined || this.#pending.length > 0 || this.#accepted !== this.#notedAccepted;
    if (toSay && this.#restore !== undefined) await this.#flush(true);
    if (this.#pending.length > 0 && this.#trouble === undefined) await this.#flush(true);
    this.#reader.close();
    await this.#writer.close();
    await this.#options.closed?.();
  }

  // --- groups ------------------------------------------------------------------------------------------------------

  #onTimer(): void {
    this.#timer = undefined;
    if (this.#writing === undefined) void this.#flush(false);
  }

  /** Writes one group, also an empty one if `always`. Never rejects. */
  #flush(always: boolean): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#inFlight === undefined) {
      const buffer = this.#pending;
      if (buffer.length === 0 && !always) return Promise.resolve();
      this.#pending = this.#spare;
      this.#spare = buffer;
      const group = { records: buffer.bytes, firstLsn: this.#durable + 1 };
      this.#inFlight = { buffer, group: { ...group, accepted: this.#accepted }, lastLsn: this.#next - 1 };
    }
    this.#lastWriteAt = this.#options.now();
    this.#writing = this.#write(this.#inFlight).finally(() => {
      this.#writing = undefined;
      if (this.#closed) return;
      if (this.#trouble === undefined) this.commit();
      else this.#retrySoon(RETRY_MS);
    });
    return this.#writing;
  }

  async #write({ buffer, group, lastLsn }: InFlight): Promise<void> {
    try {
      await this.#writer.write(group);
    } catch (error) {
      if (!(error instanceof TroubleError)) throw error;
      if (this.#trouble === undefined) this.#options.onEvent({ problem: error.trouble });
      this.#trouble = error.trouble;
      this.#full = true;
      return;
    }
    buffer.clear();
    this.#inFlight = undefined;
    this.#notedAccepted = group.accepted;
    const moved = lastLsn > this.#durable;
    this.#durable = lastLsn;
    if (this.#trouble !== undefined) this.#options.onEvent({ problem: 'recovered' });
    this.#trouble = undefined;
    this.#dropOld();
    if (moved) this.onDurable?.();
    if (this.#full && this.#next - 1 - this.#durable <= this.#options.maxPending / 2 && !this.#overFull()) {
      this.#full = false;
      this.onRoom?.();
    }
  }

  #retrySoon(ms: number): void {
    if (this.#writing !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onTimer(), ms);
  }

  #overFull(): boolean {
    return (
      this.#trouble !== undefined ||
      this.#next - 1 - this.#durable >= this.#options.maxPending ||
      this.#pending.length >= MAX_PENDING_BYTES
    );
  }

  /** What is durable need not stay in memory beyond the cache. */
  #dropOld(): void {
    const ring = this.#ring;
    const from = this.#durable + 1 - this.#options.cacheRecords;
    while (this.#ringFrom < from) ring[this.#ringFrom++ & (ring.length - 1)] = undefined;
  }

  #noteAccepted(): void {
    if (this.#accepted === this.#notedAccepted || this.#writing !== undefined || this.#trouble !== undefined) return;
    void this.#flush(true);
  }

  // --- records and devices -----------------------------------------------------------------------------------------

  #know(device: Device): IdHalves {
    const halves = idHalves(device.id);
    this.#halves.set(device, halves);
    this.#devices.delete(device.id);
    this.#devices.set(device.id, device);
    if (this.#devices.size > MAX_KNOWN) {
      for (const id of this.#devices.keys()) {
        this.#devices.delete(id);
        break;
      }
    }
    return halves;
  }

  #decode(bytes: Uint8Array, at: number): JournalRecord | undefined {
    const stored = readRecord(bytes, at);
    if (stored === undefined) return undefined;
    const id = idOf(field.high(bytes, at), field.low(bytes, at));
    let device = this.#devices.get(id);
    if (device === undefined) {
      const { boot, seq } = stored;
      device = this.#restore!({ id, boot, nextSeq: seq + 1, schema: undefined, schemaCrc: 0 });
      this.#know(device);
    }
    const record = { device, ...stored };
    this.#prepare?.(record);
    return record;
  }

  #loadLastGroup(records: Uint8Array): void {
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    let expected = this.#durable + 1;
    for (let at = 0; at < records.length; at += view.getUint32(at + 4)) {
      if (kindAt(records, at) !== KIND.record) continue;
      expected = lsnAt(records, at);
      if (expected - this.#ringFrom >= this.#ring.length) this.#ringFrom = expected + 1 - this.#ring.length;
      this.#ring[expected & (this.#ring.length - 1)] = this.#decode(records, at);
    }
  }

  #oldestTime(): number | undefined {
    const lsn = this.#accepted + 1;
    if (lsn >= this.#next) return undefined;
    // Also while it is not durable yet: it waits all the same.
    const record = lsn >= this.#ringFrom ? this.#ring[lsn & (this.#ring.length - 1)] : this.get(lsn);
    if (record !== undefined && record !== 'loading') this.#oldestAt = { lsn, at: record.receivedAt };
    return this.#oldestAt?.at;
  }
}

function withGroup(
  states: DeviceStates,
  records: Uint8Array,
): Iterable<{ readonly state: DeviceState; readonly newestLsn: number }> {
  const copy = states.copy();
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  for (let at = 0; at < records.length; at += view.getUint32(at + 4)) copy.apply(records, at);
  return copy.states();
}
