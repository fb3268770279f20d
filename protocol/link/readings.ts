/**
 * Samples: the content of READINGS, and of REPORT behind its head. The hot path.
 *
 * ```
 *   sample   head u8 | time 0, 4 or 8 | value | value …
 *            │         └ kind 0 now: none; 1 uptime: u32 ms; 2 Unix: u64 ms
 *            └ time kind in bits 7–6, number of values (1–63) in bits 5–0
 *   value    channel u8 | tq u8 | content
 *                         └ quality in bits 7–6, type code in bits 5–0
 * ```
 */
import type { ByteReader, ByteWriter } from '../bytes.ts';
import { utf8Length } from '../utf8.ts';
import { QUALITIES, qualityCode, VALUE_TYPES, valueTypeCode } from './value.ts';
import type { Quality, RawValue, Value, ValueType } from './value.ts';

/** What the time of a sample counts from. */
export type TimeKind = 'now' | 'uptime' | 'unix';

/** Values measured at one moment. */
export interface Sample {
  timeKind: TimeKind;
  /** Milliseconds: since the device's boot (u32, wraps) or since 1970 (at most 2^53 − 1); 0 for `now`. */
  time: number;
  /** 1 to 63 of them. */
  values: Value[];
}

/** Why bytes are no samples. */
export type SampleErrorCode =
  /** A field goes past the end of the body. */
  | 'short-read'
  /** Text that is not UTF-8. */
  | 'bad-utf8'
  /** There is no sample at all. */
  | 'no-samples'
  /** Time kind 3. */
  | 'reserved-time-kind'
  /** A sample without values. */
  | 'no-values'
  /** Unix time beyond 2^53 − 1 milliseconds. */
  | 'bad-time'
  /** A type code that is not assigned; what follows cannot be read. */
  | 'unknown-value-type'
  /** A bool that is neither 0 nor 1. */
  | 'bad-bool';

/** What was read, or why not; `offset` is an index into the bytes that the reader was given. */
export type Decoded<T, Code extends string = SampleErrorCode> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: Code; readonly offset: number };

/** The most values that a sample holds. */
export const MAX_VALUES = 63;

const TIME_KINDS = ['now', 'uptime', 'unix'] as const;
const QUALITY_BY_CODE: readonly Quality[] = QUALITIES.map(({ name }) => name);
const TYPE_BY_CODE: readonly ValueType[] = VALUE_TYPES.map(({ name }) => name);
const MAX_MS_HIGH = 0x1f_ffff;

/** Reads samples up to the end of the reader's bounds. */
export function readSamples(r: ByteReader): Decoded<Sample[]> {
  if (r.remaining === 0) return { ok: false, code: 'no-samples', offset: r.offset };
  const samples: Sample[] = [];
  do {
    const start = r.offset;
    const head = r.u8();
    const count = head & 0x3f;
    const kind = TIME_KINDS[head >> 6];
    if (kind === undefined) return { ok: false, code: 'reserved-time-kind', offset: start };
    if (count === 0) return { ok: false, code: 'no-values', offset: start };
    let time = 0;
    if (kind === 'uptime') {
      time = r.u32();
    } else if (kind === 'unix') {
      time = readMs(r);
      if (time < 0) return { ok: false, code: 'bad-time', offset: start + 1 };
    }
    const values: Value[] = [];
    for (let i = 0; i < count; i++) {
      const at = r.offset;
      const channel = r.u8();
      const tq = r.u8();
      const type = TYPE_BY_CODE[tq & 0x3f];
      if (type === undefined) return { ok: false, code: 'unknown-value-type', offset: at + 1 };
      const value = readContent(r, type);
      if (value === undefined) return { ok: false, code: 'bad-bool', offset: at + 2 };
      values.push({ channel, type, quality: QUALITY_BY_CODE[tq >> 6]!, value });
    }
    samples.push({ timeKind: kind, time, values });
  } while (r.remaining > 0);
  // A read past the end gives zeros, which are valid in every place above: hence one question here is enough.
  return r.ok ? { ok: true, value: samples } : readFailure(r);
}

/** Reads one value. */
export function readValue(r: ByteReader): Decoded<Value> {
  const at = r.offset;
  const channel = r.u8();
  const tq = r.u8();
  const type = TYPE_BY_CODE[tq & 0x3f];
  if (type === undefined) return { ok: false, code: 'unknown-value-type', offset: at + 1 };
  const value = readContent(r, type);
  if (value === undefined) return { ok: false, code: 'bad-bool', offset: at + 2 };
  if (!r.ok) return readFailure(r);
  return { ok: true, value: { channel, type, quality: QUALITY_BY_CODE[tq >> 6]!, value } };
}

/** Reads u64 milliseconds as a number, or gives −1 when they are beyond 2^53 − 1. */
export function readMs(r: ByteReader): number {
  if (r.remaining < 8) {
    r.skip(8);
    return 0;
  }
  const high = r.u32();
  const low = r.u32();
  return high > MAX_MS_HIGH ? -1 : high * 0x1_0000_0000 + low;
}

/** The failure that the reader has met, in our words. */
export function readFailure(r: ByteReader): { ok: false; code: 'short-read' | 'bad-utf8'; offset: number } {
  const error = r.error;
  const code = error?.code === 'bad-utf8' ? 'bad-utf8' : 'short-read';
  return { ok: false, code, offset: error?.offset ?? r.offset };
}

/** The content of a value, or undefined for a bool that is none. What goes past the end is left to `r.ok`. */
function readContent(r: ByteReader, type: ValueType): RawValue | undefined {
  switch (type) {
    case 'bool': {
      const byte = r.u8();
      return byte > 1 ? undefined : byte === 1;
    }
    case 'u8':
      return r.u8();
    case 'i8':
      return r.i8();
    case 'u16':
      return r.u16();
    case 'i16':
      return r.i16();
    case 'u32':
      return r.u32();
    case 'i32':
      return r.i32();
    case 'u64':
      return r.u64();
    case 'i64':
      return r.i64();
    case 'f32':
      return r.f32();
    case 'f64':
      return r.f64();
    case 'string':
      return r.text(r.u8());
    case 'bytes':
      // A copy: the bytes of a frame are only lent.
      return r.bytes(r.u8()).slice();
    default:
      return undefined;
  }
}

/** Writes samples; RangeError for what they may not be: none at all, no or too many values, a value its type cannot say. */
export function writeSamples(w: ByteWriter, samples: readonly Sample[]): void {
  if (samples.length === 0) throw new RangeError('no samples');
  for (const sample of samples) writeSample(w, sample);
}

function writeSample(w: ByteWriter, sample: Sample): void {
  const { timeKind, time, values } = sample;
  if (values.length === 0 || values.length > MAX_VALUES) throw new RangeError(`${values.length} values in a sample`);
  const kind = TIME_KINDS.indexOf(timeKind);
  if (kind < 0) throw new RangeError(`no such time kind: ${timeKind}`);
  w.u8((kind << 6) | values.length);
  if (timeKind === 'uptime') w.u32(time);
  else if (timeKind === 'unix') writeMs(w, time);
  for (const value of values) writeValue(w, value);
}

/** Writes one value. */
export function writeValue(w: ByteWriter, { channel, type, quality, value }: Value): void {
  w.u8(channel);
  w.u8((qualityCode(quality) << 6) | valueTypeCode(type));
  if (type === 'string' && typeof value === 'string') return writeStr8(w, value);
  if (type === 'bytes' && value instanceof Uint8Array) {
    w.u8(value.length);
    return w.bytes(value);
  }
  if (type === 'bool' && typeof value === 'boolean') return w.u8(value ? 1 : 0);
  if ((type === 'u64' || type === 'i64') && typeof value === 'bigint') return w[type](value);
  if (typeof value !== 'number' || type === 'u64' || type === 'i64') throw wrongValue(type, value);
  if (type === 'bool' || type === 'string' || type === 'bytes') throw wrongValue(type, value);
  w[type](value);
}

/** Writes a u8 length and UTF-8; RangeError beyond 255 bytes. */
export function writeStr8(w: ByteWriter, text: string): void {
  const length = utf8Length(text);
  if (length > 255) throw new RangeError(`a text of ${length} bytes, where 255 are the most`);
  w.u8(length);
  w.text(text);
}

/** Writes u64 milliseconds from a number. */
export function writeMs(w: ByteWriter, ms: number): void {
  if (!Number.isSafeInteger(ms) || ms < 0) throw new RangeError(`${ms} is no number of milliseconds`);
  w.u32(Math.floor(ms / 0x1_0000_0000));
  w.u32(ms % 0x1_0000_0000);
}

function wrongValue(type: ValueType, value: RawValue): RangeError {
  return new RangeError(`a ${typeof value} is no value of type ${type}`);
}
