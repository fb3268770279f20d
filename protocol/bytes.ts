/**
 * Cursors over bytes: `ByteReader` and `ByteWriter`, bounded, big-endian unless told otherwise.
 *
 * ```
 *   bytes   .. .. .. 12 34 56 .. .. ..
 *                 ↑ from      ↑ offset      ↑ to        remaining = to − offset
 * ```
 *
 * Both fail by sticking, not by throwing. A read that goes past the end returns 0 (or nothing) and remembers the first
 * `error`; from then on nothing remains, so every later read gives 0 too and every loop over `remaining` ends. A codec
 * reads all its fields straight through and asks `ok` once, before it hands a value out. That keeps try/catch and a
 * check a field off the hot path, and a missed check cannot read bytes of a neighbour. The same way a writer without
 * room drops what does not fit, and `finish` refuses to hand out a torn message.
 */
import { decodeUtf8, encodeUtf8Into, invalidUtf8At, utf8Length } from './utf8.ts';

/** Why a read failed. `offset` is an index into the bytes that the (outermost) reader was given. */
export type ReadError =
  /** `needed` bytes were to be read at `offset`, of which only `available` were inside the bounds. */
  | {
      readonly code: 'short-read';
      readonly offset: number;
      readonly needed: number;
      readonly available: number;
    }
  /** The byte at `offset` does not belong to valid UTF-8. */
  | { readonly code: 'bad-utf8'; readonly offset: number }
  /** `available` bytes were left at `offset` where the end was expected. */
  | { readonly code: 'trailing-bytes'; readonly offset: number; readonly available: number };

/** What did not fit: `needed` bytes at `offset`, where the writer may reach `limit`. */
export interface WriteError {
  readonly code: 'overflow';
  readonly offset: number;
  readonly needed: number;
  readonly limit: number;
}

// Floats and 64-bit integers go through these eight bytes, so that no reader needs a DataView of its own for every
// buffer it is pointed at. Synchronous code only, hence safe to share.
const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);
const NOTHING = new Uint8Array(0);
const TWO_32 = 0x1_0000_0000;

/** Reads `bytes[from..to)` from front to back. See the head of this file for how it fails. */
export class ByteReader {
  private data: Uint8Array = NOTHING;
  private at = 0;
  private end = 0;
  private failure: ReadError | undefined = undefined;
  private parent: ByteReader | undefined = undefined;

  constructor(bytes: Uint8Array, from = 0, to: number = bytes.length) {
    this.reset(bytes, from, to);
  }

  /** Points this reader at other bytes and forgets any error, so that a hot path needs one reader only. */
  reset(bytes: Uint8Array, from = 0, to: number = bytes.length): this {
    if (!(from >= 0 && from <= to && to <= bytes.length)) {
      throw new RangeError(`bounds ${from}..${to} do not fit ${bytes.length} bytes`);
    }
    this.data = bytes;
    this.at = from;
    this.end = to;
    this.failure = undefined;
    this.parent = undefined;
    return this;
  }

  /** True as long as every read was inside the bounds and every text valid. */
  get ok(): boolean {
    return this.failure === undefined;
  }

  /** The first thing that went wrong. */
  get error(): ReadError | undefined {
    return this.failure;
  }

  /** The index in the given bytes of what is read next; after an error the end of the bounds. */
  get offset(): number {
    return this.at;
  }

  /** How many bytes are left to read; 0 after an error. */
  get remaining(): number {
    return this.end - this.at;
  }

  u8(): number {
    const at = this.at;
    if (at >= this.end) return this.short(1);
    this.at = at + 1;
    return this.data[at]!;
  }

  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(little = false): number {
    const at = this.at;
    if (at + 2 > this.end) return this.short(2);
    this.at = at + 2;
    const data = this.data;
    return little ? data[at]! | (data[at + 1]! << 8) : (data[at]! << 8) | data[at + 1]!;
  }

  i16(little = false): number {
    return (this.u16(little) << 16) >> 16;
  }

  u24(little = false): number {
    const at = this.at;
    if (at + 3 > this.end) return this.short(3);
    this.at = at + 3;
    const data = this.data;
    return little
      ? data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16)
      : (data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!;
  }

  i24(little = false): number {
    return (this.u24(little) << 8) >> 8;
  }

  u32(little = false): number {
    return this.i32(little) >>> 0;
  }

  i32(little = false): number {
    const at = this.at;
    if (at + 4 > this.end) return this.short(4);
    this.at = at + 4;
    const data = this.data;
    return little
      ? data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
      : (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!;
  }

  u48(little = false): number {
    if (this.at + 6 > this.end) return this.short(6);
    if (little) {
      const low = this.u32(true);
      return this.u16(true) * TWO_32 + low;
    }
    return this.u16() * TWO_32 + this.u32();
  }

  i48(little = false): number {
    if (this.at + 6 > this.end) return this.short(6);
    if (little) {
      const low = this.u32(true);
      return this.i16(true) * TWO_32 + low;
    }
    return this.i16() * TWO_32 + this.u32();
  }

  u64(little = false): bigint {
    return this.toScratch(8) ? scratchView.getBigUint64(0, little) : 0n;
  }

  i64(little = false): bigint {
    return this.toScratch(8) ? scratchView.getBigInt64(0, little) : 0n;
  }

  f32(little = false): number {
    return this.toScratch(4) ? scratchView.getFloat32(0, little) : 0;
  }

  f64(little = false): number {
    return this.toScratch(8) ? scratchView.getFloat64(0, little) : 0;
  }

  /** The next `length` bytes as a view (copy it to keep it longer than the bytes underneath). */
  bytes(length: number): Uint8Array {
    const at = this.at;
    if (!this.take(length)) return NOTHING;
    return new Uint8Array(this.data.buffer, this.data.byteOffset + at, length);
  }

  /** Everything that is left, as a view. */
  rest(): Uint8Array {
    return this.bytes(this.end - this.at);
  }

  /** The next `length` bytes as strict UTF-8. Bad UTF-8 is the error `bad-utf8` at the offset of the bad byte. */
  text(length: number): string {
    const at = this.at;
    if (!this.take(length)) return '';
    const text = decodeUtf8(this.data, at, at + length);
    if (text !== undefined) return text;
    this.fail({ code: 'bad-utf8', offset: invalidUtf8At(this.data, at, at + length) });
    return '';
  }

  /** Passes over `length` bytes. */
  skip(length: number): void {
    this.take(length);
  }

  /**
   * A reader of the next `length` bytes, which this one passes over. Its offsets count as ours, and its errors become
   * ours too, so that asking the outermost reader for `ok` is enough. Give a spare reader as `reuse` to allocate none.
   */
  sub(length: number, reuse?: ByteReader): ByteReader {
    const at = this.at;
    const taken = this.take(length);
    const sub = reuse ?? new ByteReader(NOTHING);
    sub.reset(this.data, taken ? at : this.end, taken ? at + length : this.end);
    sub.parent = this;
    if (!taken) sub.failure = this.failure;
    return sub;
  }

  /** States that nothing may be left: else the error `trailing-bytes`. Returns `ok`. */
  expectEnd(): boolean {
    if (this.at < this.end) this.fail({ code: 'trailing-bytes', offset: this.at, available: this.end - this.at });
    return this.failure === undefined;
  }

  private take(length: number): boolean {
    if (!(length >= 0 && Number.isInteger(length))) throw new RangeError(`${length} is no length`);
    if (length > this.end - this.at) {
      this.short(length);
      return false;
    }
    this.at += length;
    return true;
  }

  private toScratch(size: number): boolean {
    const at = this.at;
    if (at + size > this.end) {
      this.short(size);
      return false;
    }
    this.at = at + size;
    const data = this.data;
    for (let i = 0; i < size; i++) scratch[i] = data[at + i]!;
    return true;
  }

  private short(needed: number): 0 {
    if (this.failure === undefined) {
      this.fail({ code: 'short-read', offset: this.at, needed, available: this.end - this.at });
    }
    return 0;
  }

  private fail(error: ReadError): void {
    this.failure ??= error;
    this.at = this.end;
    this.parent?.fail(error);
  }
}

/**
 * Writes front to back, either into a buffer of its own that grows up to a limit, or into a range of a given one.
 *
 * A value that does not fit its width is a RangeError: the caller's mistake. Running out of room is not, because how
 * many samples fit a frame is found by trying: what does not fit is dropped whole, `error` says so, later writes are
 * dropped too, `rewind` goes back to the last point that was fine, and `finish` throws if the overflow was overlooked.
 */
export class ByteWriter {
  private data: Uint8Array;
  private readonly start: number;
  private readonly limit: number;
  private readonly growing: boolean;
  private at: number;
  private failure: WriteError | undefined = undefined;

  /** A writer with a buffer of its own, of at most `maxBytes`. */
  constructor(maxBytes?: number);
  /** A writer into `target[from..to)`. */
  constructor(target: Uint8Array, from?: number, to?: number);
  constructor(target: Uint8Array | number = 65_536, from = 0, to?: number) {
    this.growing = typeof target === 'number';
    this.data = typeof target === 'number' ? new Uint8Array(Math.min(target, 64)) : target;
    this.limit = typeof target === 'number' ? target : (to ?? target.length);
    if (!(from >= 0 && from <= this.limit && (this.growing || this.limit <= this.data.length))) {
      throw new RangeError(`bounds ${from}..${this.limit} do not fit ${this.data.length} bytes`);
    }
    this.start = from;
    this.at = from;
  }

  /** Starts over in the same buffer and forgets any error. What `finish` returned before is overwritten. */
  reset(): this {
    this.at = this.start;
    this.failure = undefined;
    return this;
  }

  /** True as long as everything fitted. */
  get ok(): boolean {
    return this.failure === undefined;
  }

  /** The first write that did not fit. */
  get error(): WriteError | undefined {
    return this.failure;
  }

  /** The index in the buffer of what is written next. */
  get offset(): number {
    return this.at;
  }

  /** How many bytes still fit; 0 after an overflow. */
  get remaining(): number {
    return this.failure === undefined ? this.limit - this.at : 0;
  }

  u8(value: number): void {
    if (value !== (value & 0xff)) refuse(value, 'u8');
    if (this.room(1)) this.data[this.at++] = value;
  }

  i8(value: number): void {
    if (value !== (value << 24) >> 24) refuse(value, 'i8');
    if (this.room(1)) this.data[this.at++] = value;
  }

  u16(value: number, little = false): void {
    if (value !== (value & 0xffff)) refuse(value, 'u16');
    this.put16(value, little);
  }

  i16(value: number, little = false): void {
    if (value !== (value << 16) >> 16) refuse(value, 'i16');
    this.put16(value, little);
  }

  u24(value: number, little = false): void {
    if (value !== (value & 0xffffff)) refuse(value, 'u24');
    this.put24(value, little);
  }

  i24(value: number, little = false): void {
    if (value !== (value << 8) >> 8) refuse(value, 'i24');
    this.put24(value, little);
  }

  u32(value: number, little = false): void {
    if (value !== value >>> 0) refuse(value, 'u32');
    this.put32(value, little);
  }

  i32(value: number, little = false): void {
    if (value !== (value | 0)) refuse(value, 'i32');
    this.put32(value, little);
  }

  u48(value: number, little = false): void {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** 48)) refuse(value, 'u48');
    this.put48(value, little);
  }

  i48(value: number, little = false): void {
    if (!(Number.isInteger(value) && value >= -(2 ** 47) && value < 2 ** 47)) refuse(value, 'i48');
    this.put48(value, little);
  }

  u64(value: bigint, little = false): void {
    if (value !== BigInt.asUintN(64, value)) refuse(value, 'u64');
    scratchView.setBigUint64(0, value, little);
    this.fromScratch(8);
  }

  i64(value: bigint, little = false): void {
    if (value !== BigInt.asIntN(64, value)) refuse(value, 'i64');
    scratchView.setBigInt64(0, value, little);
    this.fromScratch(8);
  }

  /** NaN and the infinities are values of f32; a finite number that only an infinity could stand for is not. */
  f32(value: number, little = false): void {
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) refuse(value, 'f32');
    scratchView.setFloat32(0, value, little);
    this.fromScratch(4);
  }

  f64(value: number, little = false): void {
    scratchView.setFloat64(0, value, little);
    this.fromScratch(8);
  }

  bytes(value: Uint8Array): void {
    if (!this.room(value.length)) return;
    this.data.set(value, this.at);
    this.at += value.length;
  }

  /** Writes `value` as UTF-8, without a length. RangeError when it holds half a surrogate pair. */
  text(value: string): void {
    if (this.room(utf8Length(value))) this.at = encodeUtf8Into(value, this.data, this.at);
  }

  /** Writes `count` times the same byte. */
  fill(value: number, count: number): void {
    if (value !== (value & 0xff)) refuse(value, 'u8');
    if (!this.room(count)) return;
    this.data.fill(value, this.at, this.at + count);
    this.at += count;
  }

  /** Goes back to an `offset` of before and forgets what was written since, an overflow included. */
  rewind(offset: number): void {
    if (!(offset >= this.start && offset <= this.at)) throw new RangeError(`cannot rewind to ${offset}`);
    this.at = offset;
    this.failure = undefined;
  }

  /** What was written, as a view into the buffer (valid until `reset`). RangeError after an overflow. */
  finish(): Uint8Array {
    if (this.failure !== undefined) {
      const { offset, needed, limit } = this.failure;
      throw new RangeError(`${needed} bytes at ${offset} go over the limit of ${limit}`);
    }
    return new Uint8Array(this.data.buffer, this.data.byteOffset + this.start, this.at - this.start);
  }

  private put16(value: number, little: boolean): void {
    if (!this.room(2)) return;
    const { data, at } = this;
    data[at] = little ? value : value >> 8;
    data[at + 1] = little ? value >> 8 : value;
    this.at = at + 2;
  }

  private put24(value: number, little: boolean): void {
    if (!this.room(3)) return;
    const { data, at } = this;
    data[at] = little ? value : value >> 16;
    data[at + 1] = value >> 8;
    data[at + 2] = little ? value >> 16 : value;
    this.at = at + 3;
  }

  private put32(value: number, little: boolean): void {
    if (!this.room(4)) return;
    const { data, at } = this;
    if (little) {
      data[at] = value;
      data[at + 1] = value >> 8;
      data[at + 2] = value >> 16;
      data[at + 3] = value >> 24;
    } else {
      data[at] = value >> 24;
      data[at + 1] = value >> 16;
      data[at + 2] = value >> 8;
      data[at + 3] = value;
    }
    this.at = at + 4;
  }

  private put48(value: number, little: boolean): void {
    if (!this.room(6)) return;
    const high = Math.floor(value / TWO_32);
    // A remainder is exact here; `|` then keeps its low 32 bits.
    const low = (value - high * TWO_32) | 0;
    if (little) {
      this.put32(low, true);
      this.put16(high, true);
    } else {
      this.put16(high, false);
      this.put32(low, false);
    }
  }

  private fromScratch(size: number): void {
    if (!this.room(size)) return;
    const { data, at } = this;
    for (let i = 0; i < size; i++) data[at + i] = scratch[i]!;
    this.at = at + size;
  }

  private room(needed: number): boolean {
    const end = this.at + needed;
    if (this.failure !== undefined) return false;
    if (end > this.limit) {
      this.failure = { code: 'overflow', offset: this.at, needed, limit: this.limit };
      return false;
    }
    if (this.growing && end > this.data.length) {
      const grown = new Uint8Array(Math.min(this.limit, Math.max(end, this.data.length * 2)));
      grown.set(this.data.subarray(0, this.at));
      this.data = grown;
    }
    return true;
  }
}

function refuse(value: number | bigint, type: string): never {
  throw new RangeError(`${value} is no ${type}`);
}
