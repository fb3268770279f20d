/**
 * The records of a segment file, one behind the other, without padding. Big-endian.
 *
 * ```
 *   0        4        8                16     17
 *   crc u32 | length u32 | lsn u64       | kind u8 | body
 *   │         └ of the whole record, 17 and more
 *   └ CRC-32/ISO-HDLC of all that follows, XOR the segment's salt
 *
 *   1 HEADER  "b2mj" | version u8 | journal id u64 | segment number u32          lsn: the first that the segment may hold
 *   2 MARK    start u32 | group's bytes u32 | accepted u64                       lsn: of the next RECORD
 *   3 DEVICE  id u64 | boot u32 | next seq u64 | newest lsn u64 | schema crc u32 | schema contents    lsn: as MARK
 *   4 RECORD  id u64 | boot u32 | seq u32 | received at u64 | samples            lsn: its own
 * ```
 *
 * The salt differs between segments, so what a recycled file still has of its earlier life never passes for a record.
 * Only RECORDs use up lsns. The schema and the samples are in the link protocol's own form, times as Unix milliseconds.
 */
import {
  ByteReader,
  ByteWriter,
  crc32,
  decodeStoredSchema,
  encodeStoredSchema,
  readSamples,
  type Sample,
  type Schema,
  writeSamples,
} from '../../protocol/index.ts';

export const FORMAT_VERSION = 1;
export const HEAD_BYTES = 17;
export const HEADER_RECORD_BYTES = HEAD_BYTES + 17;
export const MARK_RECORD_BYTES = HEAD_BYTES + 16;
/** A record is never longer: a datagram's samples and 32 KiB of schema stay far below. */
export const MAX_RECORD_BYTES = 65_535;

export const KIND = { header: 1, mark: 2, device: 3, record: 4 } as const;

const MAGIC = 0x62326d6a;
const TWO_32 = 0x1_0000_0000;
/** In front of a RECORD's samples and of a DEVICE's schema. */
const RECORD_BODY_BYTES = 24;
const DEVICE_BODY_BYTES = 32;

/** A device id as two halves: a bigint a record would cost more than all the rest. */
export interface IdHalves {
  readonly high: number;
  readonly low: number;
}

export interface SegmentHeader {
  /** 16 lowercase hex digits. */
  readonly journalId: string;
  readonly number: number;
  readonly firstLsn: number;
}

/** What each group begins with. */
export interface Mark {
  /** Where in the segment the write began that the group came with: all before was durable then. */
  readonly start: number;
  /** Bytes of the group's records behind the MARK. */
  readonly groupBytes: number;
  /** What the journal's `accepted` was. */
  readonly accepted: number;
}

/** A device as DEVICE has it: the schema still as bytes, empty when there is none. */
export interface StoredDevice {
  readonly high: number;
  readonly low: number;
  readonly boot: number;
  readonly nextSeq: number;
  readonly newestLsn: number;
  readonly schemaCrc: number;
  readonly schema: Uint8Array;
}

export interface StoredRecord {
  readonly boot: number;
  readonly seq: number;
  readonly receivedAt: number;
  readonly samples: Sample[];
}

/** What a RECORD says; as JournalRecord, but for the device. */
export interface RecordContent {
  readonly boot: number;
  readonly seq: number;
  readonly receivedAt: number;
  readonly samples: readonly Sample[];
}

const NO_SCHEMA = new Uint8Array(0);

/** The halves of 16 hex digits. */
export function idHalves(id: string): IdHalves {
  return { high: Number.parseInt(id.slice(0, 8), 16), low: Number.parseInt(id.slice(8), 16) };
}

/** 16 lowercase hex digits. */
export function idOf(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

/** What every record's CRC in this segment is XORed with. */
export function segmentSalt(journalId: string, number: number): number {
  const { high, low } = idHalves(journalId);
  const w = new ByteWriter(12);
  for (const word of [high, low, number]) w.u32(word);
  return crc32(w.finish());
}

/** A schema in the form that DEVICE has. */
export function schemaBytes(schema: Schema | undefined): Uint8Array {
  return schema === undefined ? NO_SCHEMA : encodeStoredSchema(schema);
}

/** The schema of a StoredDevice, or undefined when there is none. */
export function storedSchema(bytes: Uint8Array): Schema | undefined {
  if (bytes.length === 0) return undefined;
  const schema = decodeStoredSchema(bytes);
  return typeof schema === 'string' ? undefined : schema;
}

// --- write -----------------------------------------------------------------------------------------------------------

/**
 * Collects records into one buffer that grows; their CRCs are not salted yet, because which segment they go to is not
 * known before they are written.
 */
export class RecordBuffer {
  #bytes: Uint8Array;
  #writer: ByteWriter;

  constructor(firstBytes = 16_384) {
    this.#bytes = new Uint8Array(firstBytes);
    this.#writer = new ByteWriter(this.#bytes);
  }

  get length(): number {
    return this.#writer.offset;
  }

  /** The records as a view, valid until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#writer.offset);
  }

  clear(): void {
    this.#writer.reset();
  }

  header({ journalId, number, firstLsn }: SegmentHeader): void {
    const { high, low } = idHalves(journalId);
    const start = this.#begin(firstLsn, KIND.header, HEADER_RECORD_BYTES);
    const w = this.#writer;
    w.u32(MAGIC);
    w.u8(FORMAT_VERSION);
    w.u32(high);
    w.u32(low);
    w.u32(number);
    this.#end(start);
  }

  mark(lsn: number, { start, groupBytes, accepted }: Mark): void {
    const at = this.#begin(lsn, KIND.mark, MARK_RECORD_BYTES);
    this.#writer.u32(start);
    this.#writer.u32(groupBytes);
    writeU53(this.#writer, accepted);
    this.#end(at);
  }

  device(lsn: number, device: StoredDevice): void {
    const start = this.#begin(lsn, KIND.device, HEAD_BYTES + DEVICE_BODY_BYTES + device.schema.length);
    const w = this.#writer;
    w.u32(device.high);
    w.u32(device.low);
    w.u32(device.boot);
    writeU53(w, device.nextSeq);
    writeU53(w, device.newestLsn);
    w.u32(device.schemaCrc);
    w.bytes(device.schema);
    this.#end(start);
  }

  /** RangeError for samples that the link protocol cannot say; nothing is written then. */
  record(lsn: number, { high, low }: IdHalves, content: RecordContent): void {
    let start = this.#begin(lsn, KIND.record, 512);
    try {
      while (!this.#recordBody(high, low, content)) {
        this.#writer.rewind(start);
        if (this.#bytes.length - start > MAX_RECORD_BYTES) throw new RangeError('a record is too long');
        start = this.#begin(lsn, KIND.record, this.#bytes.length + 1);
      }
    } catch (error) {
      this.#writer.rewind(start);
      throw error;
    }
    this.#end(start);
  }

  /** Records as they are, e.g. from another segment, with the salt taken off. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#writer.bytes(bytes);
  }

  /** False when it did not fit. */
  #recordBody(high: number, low: number, { boot, seq, receivedAt, samples }: RecordContent): boolean {
    const w = this.#writer;
    w.u32(high);
    w.u32(low);
    w.u32(boot);
    w.u32(seq);
    writeU53(w, receivedAt);
    writeSamples(w, samples);
    return w.ok;
  }

  #begin(lsn: number, kind: number, bytes: number): number {
    this.#reserve(bytes);
    const w = this.#writer;
    const start = w.offset;
    w.u32(0);
    w.u32(0);
    writeU53(w, lsn);
    w.u8(kind);
    return start;
  }

  #end(start: number): void {
    const end = this.#writer.offset;
    put32(this.#bytes, start + 4, end - start);
    put32(this.#bytes, start, crc32(this.#bytes, start + 4, end));
  }

  #reserve(bytes: number): void {
    const used = this.#writer.offset;
    if (used + bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(used + bytes, this.#bytes.length * 2));
    this.#writer = new ByteWriter(grown);
    this.#writer.bytes(this.#bytes.subarray(0, used));
    this.#bytes = grown;
  }
}

/** XORs the CRC of every record in `bytes` with `salt`: puts a salt on, or takes it off. */
export function saltRecords(bytes: Uint8Array, salt: number): void {
  for (let at = 0; at < bytes.length; at += get32(bytes, at + 4)) put32(bytes, at, get32(bytes, at) ^ salt);
}

// --- read ------------------------------------------------------------------------------------------------------------

/** `recordAt`: there is no valid record. */
export const BAD = 0;
/** `recordAt`: there may be one, if more bytes follow. */
export const CUT = -1;

/** The length of the valid record at `at`, or BAD, or CUT when it would go past `end`. */
export function recordAt(bytes: Uint8Array, at: number, end: number, salt: number): number {
  if (at + HEAD_BYTES > end) return CUT;
  const length = get32(bytes, at + 4);
  if (length < HEAD_BYTES || length > MAX_RECORD_BYTES) return BAD;
  const kind = bytes[at + 16]!;
  if (kind < KIND.header || kind > KIND.record) return BAD;
  if (get32(bytes, at + 8) > 0x1f_ffff) return BAD;
  if (at + length > end) return CUT;
  return (crc32(bytes, at + 4, at + length) ^ salt) >>> 0 === get32(bytes, at) ? length : BAD;
}

/** The first valid record from `at` on, or −1. A kind may be asked for. */
export function findRecord(bytes: Uint8Array, at: number, end: number, salt: number, kind?: number): number {
  for (let i = at; i + HEAD_BYTES <= end; i++) {
    // Zeros are most of what a search passes over.
    if (bytes[i + 4] !== 0 || bytes[i + 5] !== 0) continue;
    if (kind !== undefined && bytes[i + 16] !== kind) continue;
    if (recordAt(bytes, i, end, salt) > 0) return i;
  }
  return -1;
}

/** The lsn of the record at `at`. */
export function lsnAt(bytes: Uint8Array, at: number): number {
  return get32(bytes, at + 8) * TWO_32 + get32(bytes, at + 12);
}

/** The kind of the record at `at`. */
export function kindAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 16]!;
}

/** Reads the HEADER that a segment begins with, or undefined. */
export function readHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < HEADER_RECORD_BYTES || kindAt(bytes, 0) !== KIND.header) return undefined;
  const r = new ByteReader(bytes, HEAD_BYTES, HEADER_RECORD_BYTES);
  if (r.u32() !== MAGIC || r.u8() !== FORMAT_VERSION) return undefined;
  const journalId = idOf(r.u32(), r.u32());
  const number = r.u32();
  if (recordAt(bytes, 0, bytes.length, segmentSalt(journalId, number)) !== HEADER_RECORD_BYTES) return undefined;
  return { journalId, number, firstLsn: lsnAt(bytes, 0) };
}

/** The body of the valid MARK at `at`; undefined when it is none that we write. */
export function readMark(bytes: Uint8Array, at: number): Mark | undefined {
  if (get32(bytes, at + 4) !== MARK_RECORD_BYTES) return undefined;
  const body = at + HEAD_BYTES;
  return { start: get32(bytes, body), groupBytes: get32(bytes, body + 4), accepted: readU53(bytes, body + 8) };
}

/** The body of the valid DEVICE at `at`; the schema is a copy. */
export function readDevice(bytes: Uint8Array, at: number): StoredDevice | undefined {
  const length = get32(bytes, at + 4);
  if (length < HEAD_BYTES + DEVICE_BODY_BYTES) return undefined;
  const body = at + HEAD_BYTES;
  return {
    high: get32(bytes, body),
    low: get32(bytes, body + 4),
    boot: get32(bytes, body + 8),
    nextSeq: readU53(bytes, body + 12),
    newestLsn: readU53(bytes, body + 20),
    schemaCrc: get32(bytes, body + 28),
    schema: bytes.slice(body + DEVICE_BODY_BYTES, at + length),
  };
}

/** Whether the valid RECORD at `at` has room for what a RECORD begins with; else it is none that we write. */
export function isWholeRecord(bytes: Uint8Array, at: number): boolean {
  return get32(bytes, at + 4) > HEAD_BYTES + RECORD_BODY_BYTES;
}

/** Fields of the valid RECORD at `at`, for whoever needs no more than these. */
export const field = {
  high: (bytes: Uint8Array, at: number): number => get32(bytes, at + HEAD_BYTES),
  low: (bytes: Uint8Array, at: number): number => get32(bytes, at + HEAD_BYTES + 4),
  boot: (bytes: Uint8Array, at: number): number => get32(bytes, at + HEAD_BYTES + 8),
  seq: (bytes: Uint8Array, at: number): number => get32(bytes, at + HEAD_BYTES + 12),
} as const;

/** The body of the valid RECORD at `at`; undefined when it is none that we write. */
export function readRecord(bytes: Uint8Array, at: number): StoredRecord | undefined {
  if (!isWholeRecord(bytes, at)) return undefined;
  const body = at + HEAD_BYTES;
  const samples = readSamples(new ByteReader(bytes, body + RECORD_BODY_BYTES, at + get32(bytes, at + 4)));
  if (!samples.ok) return undefined;
  return {
    boot: field.boot(bytes, at),
    seq: field.seq(bytes, at),
    receivedAt: readU53(bytes, body + 16),
    samples: samples.value,
  };
}

function writeU53(w: ByteWriter, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no unsigned integer`);
  const high = Math.floor(value / TWO_32);
  w.u32(high);
  w.u32(value - high * TWO_32);
}

function readU53(bytes: Uint8Array, at: number): number {
  return get32(bytes, at) * TWO_32 + get32(bytes, at + 4);
}

function get32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
