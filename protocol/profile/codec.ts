/**
 * One value in some bytes, there and back: what `type`, `scale`, `names`, `flags` … of a field mean together.
 *
 * ```
 *   bytes ─ number format ─→ raw ─ bits, mask ─→ ─┬─ names ─→ text         0 → "off"
 *                                                 ├─ flags ─→ text         0b101 → "fault, low"
 *                                                 ├─ bit   ─→ true, false
 *                                                 └─ scale ─→ number       as a whole number and a decimal exponent
 *   bytes ─ text ─→ text
 * ```
 *
 * Everything is decided when it is built; `read` and `write` look nothing up.
 */
import type { RawValue, ValueType } from '../link/value.ts';
import { linearOf } from './linear.ts';
import type { Linear } from './linear.ts';
import { flagsCodec, namesCodec } from './named-values.ts';
import { noneTest, noneWriter, truthOf } from './raw-values.ts';
import { bcdFormat, floatFormat, integerFormat, MAX_BCD_DIGITS } from './numbers.ts';
import type { NumberFormat } from './numbers.ts';
import type { Path, Problems } from './problems.ts';
import { simpleNumber } from './simple-field.ts';
import type { SimpleCodec, SimpleNumber } from './simple-field.ts';
import type { ConvertSpec, Order } from './spec.ts';
import { textCodec } from './text-codec.ts';
import { textNumberFormat } from './text-number.ts';

/** What goes into a field: in shown units, as `FieldValues` has it. */
export type GivenValue = boolean | number | bigint | string;

export interface Codec {
  readonly kind: 'number' | 'bool' | 'text' | 'flags' | 'option';
  readonly type: ValueType;
  /** A number is value × 10^scale. */
  readonly scale: number;
  /** Bytes it takes; undefined when the place says. */
  readonly fixedSize: number | undefined;
  /** The value in `data[from..to)`; undefined: no reading. */
  readonly read: (data: Uint8Array, from: number, to: number) => RawValue | undefined;
  /** For expressions: the shown number; of names and flags the number behind them; NaN: no reading, or text. */
  readonly number: (data: Uint8Array, from: number, to: number) => number;
  /** What stands in the bytes before it is scaled, for explanations; empty when that says nothing. */
  readonly raw: (data: Uint8Array, from: number, to: number) => string;
  /** Bytes that a value takes, where the place leaves it open. */
  readonly sizeOf: (value: GivenValue) => number;
  /** Writes a value; RangeError when it does not fit. Bits of others in the same bytes are kept. */
  readonly write: (data: Uint8Array, from: number, to: number, value: GivenValue) => void;
  /** Writes "no reading", where there is such a thing. */
  readonly writeNone: ((data: Uint8Array, from: number, to: number) => void) | undefined;
  readonly limits: readonly [number, number] | undefined;
  readonly step: number | undefined;
  readonly options: readonly string[] | undefined;
  readonly maxBytes: number | undefined;
  readonly text: 'digits' | 'hex' | 'any' | undefined;
  /** For the fast way; undefined: it is not simple enough. */
  readonly simple?: SimpleCodec | undefined;
}

/** A number in bytes, with mask and bits applied: what names, flags and scales start from. */
export interface RawNumber {
  readonly size: number | undefined;
  readonly min: number;
  readonly max: number;
  readonly float: boolean;
  /** Only `readBig` keeps every bit. */
  readonly big: boolean;
  /** `read` may give NaN. */
  readonly partial: boolean;
  /** For the fast way; undefined: it is not simple enough. */
  readonly simple?: SimpleNumber | undefined;
  readonly read: (data: Uint8Array, from: number, to: number) => number;
  readonly readBig: (data: Uint8Array, from: number, to: number) => bigint;
  readonly write: (data: Uint8Array, from: number, to: number, raw: number | bigint) => void;
  readonly sizeOf: (raw: number) => number;
}

export interface CodecContext {
  readonly order: Order;
  readonly path: Path;
  readonly problems: Problems;
  /** The place is text between separators, not bytes at an offset. */
  readonly inText: boolean;
}

/** Builds the codec of a field; undefined after telling what is wrong. */
export function buildCodec(spec: ConvertSpec, context: CodecContext): Codec | undefined {
  const { problems, path, inText } = context;
  const type = spec.type ?? (spec.bit !== undefined && !inText ? 'u8' : inText ? 'number' : undefined);
  if (type === undefined) {
    problems.add(path, 'a field needs a type, such as type: u16');
    return undefined;
  }
  const order = spec.order ?? context.order;
  if (type === 'ascii' || type === 'hex' || (type === 'bcd' && bcdDigits(spec) > MAX_BCD_DIGITS)) {
    for (const key of ['scale', 'divisor', 'offset', 'bit', 'bits', 'mask', 'flags', 'none'] as const) {
      if (spec[key] !== undefined) problems.add([...path, key], `${key} needs a number, and ${type} here is text`);
    }
    return textCodec(type, spec, order, context);
  }
  const raw = rawNumber(type, spec, order, context);
  if (raw === undefined) return undefined;
  const none = spec.none ?? [];
  for (const value of none) {
    if (!(value >= raw.min && value <= raw.max)) {
      problems.add([...path, 'none'], `must be a raw value from ${raw.min} to ${raw.max}`);
    }
  }
  const forms = (['bit', 'names', 'flags'] as const).filter((key) => spec[key] !== undefined);
  if (forms.length > 1) problems.add([...path, forms[1]!], `cannot stand together with ${forms[0]}`);
  if (spec.names !== undefined) return namesCodec(raw, spec.names, none, context);
  if (spec.flags !== undefined) return flagsCodec(raw, spec.flags, none, context);
  if (spec.bit !== undefined || type === 'bool') return boolCodec(raw, none);
  if (spec.scale === 0 || spec.divisor === 0) {
    problems.add([...path, spec.scale === 0 ? 'scale' : 'divisor'], 'must not be 0');
    return undefined;
  }
  return numberCodec(raw, linearOf(spec.scale, spec.divisor, spec.offset), none, type === 'f32');
}

function bcdDigits(spec: ConvertSpec): number {
  return spec.digits ?? 2 * (typeof spec.size === 'number' ? spec.size : 1);
}

function rawNumber(
  type: Exclude<ConvertSpec['type'], 'ascii' | 'hex' | undefined>,
  spec: ConvertSpec,
  order: Order,
  context: CodecContext,
): RawNumber | undefined {
  const { problems, path } = context;
  if (type === 'number' || type === 'hexnumber') return narrowed(textNumberFormat(type, spec), spec, context);
  if (context.inText) {
    problems.add([...path, 'type'], 'in text a type must be number, hexnumber, ascii or hex');
    return undefined;
  }
  let format: NumberFormat;
  if (type === 'bcd') {
    const digits = bcdDigits(spec);
    const size = typeof spec.size === 'number' ? spec.size : Math.ceil(digits / 2);
    if (digits > 2 * size || spec.size === 'end' || typeof spec.size === 'object') {
      problems.add([...path, 'size'], 'bcd needs a number of bytes, two digits each');
      return undefined;
    }
    format = bcdFormat(size, digits, order, spec.signed ?? false);
  } else if (type === 'f32' || type === 'f64') {
    format = floatFormat(type, order);
  } else {
    format = integerFormat(type === 'bool' ? 'u8' : type, order);
  }
  if (type !== 'bcd' && spec.size !== undefined && spec.size !== format.size) {
    problems.add([...path, 'size'], `is for text and bcd; ${type} has ${format.size} bytes`);
  }
  if (type !== 'bcd' && spec.signed !== undefined)
    problems.add([...path, 'signed'], 'is for bcd; use i16 and the like');
  return narrowed(
    {
      size: format.size,
      min: format.min,
      max: format.max,
      float: format.float,
      big: format.big,
      partial: type === 'bcd',
      simple:
        type === 'bcd' || type === 'f32' || type === 'f64'
          ? undefined
          : simpleNumber(type === 'bool' ? 'u8' : type, order),
      read: format.read,
      readBig: format.readBig,
      write: (data, from, _to, raw) => format.write(data, from, raw),
      sizeOf: () => format.size,
    },
    spec,
    context,
  );
}

/** Only some bits of a number. */
function narrowed(whole: RawNumber, spec: ConvertSpec, { problems, path }: CodecContext): RawNumber | undefined {
  const given = (['bit', 'bits', 'mask'] as const).filter((key) => spec[key] !== undefined);
  if (spec.shift !== undefined && spec.mask === undefined) problems.add([...path, 'shift'], 'needs a mask');
  const [key] = given;
  if (key === undefined) return whole;
  if (given.length > 1) problems.add([...path, given[1]!], `cannot stand together with ${key}`);
  if (whole.float || whole.min < 0) {
    problems.add([...path, key], 'needs an unsigned type, such as u16');
    return undefined;
  }
  const width = Math.ceil(Math.log2(whole.max + 1));
  let low = 0;
  let high = 0;
  let mask = 0n;
  if (spec.mask !== undefined) {
    if (spec.mask === 0 || spec.mask > whole.max) {
      problems.add([...path, 'mask'], `must have bits among the ${width} of the type`);
      return undefined;
    }
    mask = BigInt(spec.mask);
    low = spec.shift ?? trailingZeros(spec.mask);
    high = Math.floor(Math.log2(spec.mask));
  } else {
    [low, high] =
      spec.bit === undefined
        ? (spec.bits!.split('..').map(Number) as [number, number])
        : ([spec.bit, spec.bit] as [number, number]);
    if (low > high || high >= width) {
      problems.add([...path, key], `must be from 0 to ${width - 1}, the lowest first`);
      return undefined;
    }
    mask = ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
  }
  const shift = BigInt(low);
  const small = Number(mask);
  const extract: RawNumber['read'] =
    whole.max <= 0xffff_ffff
      ? (data, from, to) => {
          const value = whole.read(data, from, to);
          return value === value ? (value & small) >>> low : value;
        }
      : (data, from, to) => Number((whole.readBig(data, from, to) & mask) >> shift);
  return {
    ...whole,
    simple: whole.simple === undefined ? undefined : { ...whole.simple, mask: small | 0, shift: low },
    min: 0,
    max: Number(mask >> shift),
    big: false,
    read: extract,
    readBig: (data, from, to) => BigInt(extract(data, from, to)),
    write: (data, from, to, raw) => {
      const before = whole.readBig(data, from, to);
      whole.write(data, from, to, (before & ~mask) | ((BigInt(raw) << shift) & mask));
    },
  };
}

function trailingZeros(value: number): number {
  let zeros = 0;
  while (Math.floor(value / 2 ** zeros) % 2 === 0) zeros++;
  return zeros;
}

function boolCodec(raw: RawNumber, none: readonly number[]): Codec {
  const isNone = noneTest(none);
  return {
    kind: 'bool',
    type: 'bool',
    scale: 0,
    fixedSize: raw.size,
    read: (data, from, to) => {
      const value = raw.read(data, from, to);
      return isNone(value) ? undefined : value !== 0;
    },
    number: (data, from, to) => {
      const value = raw.read(data, from, to);
      return isNone(value) ? Number.NaN : value === 0 ? 0 : 1;
    },
    raw: (data, from, to) => String(raw.read(data, from, to)),
    sizeOf: () => raw.sizeOf(1),
    write: (data, from, to, value) => raw.write(data, from, to, truthOf(value) ? 1 : 0),
    writeNone: noneWriter(raw, none),
    limits: [0, 1],
    step: 1,
    options: undefined,
    maxBytes: undefined,
    text: undefined,
    simple: raw.simple === undefined || none.length > 0 ? undefined : { ...raw.simple, M: 1, K: 0, isBool: true },
  };
}

const INTEGERS: readonly [ValueType, number, number][] = [
  ['u8', 0, 0xff],
  ['i8', -0x80, 0x7f],
  ['u16', 0, 0xffff],
  ['i16', -0x8000, 0x7fff],
  ['u32', 0, 0xffff_ffff],
  ['i32', -0x8000_0000, 0x7fff_ffff],
];

function numberCodec(raw: RawNumber, linear: Linear, none: readonly number[], single: boolean): Codec {
  const isNone = noneTest(none);
  const { exact, factor, offset } = linear;
  const plain = exact !== undefined && exact.M === 1 && exact.K === 0 && exact.decimals === 0;
  const shared = {
    kind: 'number' as const,
    fixedSize: raw.size,
    raw: plain ? () => '' : (data: Uint8Array, from: number, to: number) => String(raw.read(data, from, to)),
    writeNone: noneWriter(raw, none),
    options: undefined,
    maxBytes: undefined,
    text: undefined,
  };
  const shown = (value: number): number =>
    exact === undefined ? value * factor + offset : (value * exact.M + exact.K) / 10 ** exact.decimals;
  const edges = [shown(raw.min), shown(raw.max)].toSorted((a, b) => a - b) as [number, number];
  const toRaw = (value: GivenValue): number | bigint => {
    const given = typeof value === 'string' ? Number(value) : value;
    if (typeof given === 'bigint' && plain) return inside(raw, given);
    const number = Number(given);
    if (!Number.isFinite(number)) throw new RangeError(`${String(value).slice(0, 40)} is no number`);
    if (raw.float) {
      return exact === undefined ? (number - offset) / factor : (number * 10 ** exact.decimals - exact.K) / exact.M;
    }
    const rounded =
      exact === undefined
        ? Math.round((number - offset) / factor)
        : Math.round((Math.round(number * 10 ** exact.decimals) - exact.K) / exact.M);
    return inside(raw, rounded);
  };
  const write: Codec['write'] = (data, from, to, value) => raw.write(data, from, to, toRaw(value));
  const sizeOf: Codec['sizeOf'] = (value) => raw.sizeOf(Number(toRaw(value)));
  const number: Codec['number'] = (data, from, to) => {
    const value = raw.read(data, from, to);
    return isNone(value) ? Number.NaN : shown(value);
  };
  if (raw.float || exact === undefined) {
    return {
      ...shared,
      type: single && plain ? 'f32' : 'f64',
      scale: 0,
      read: (data, from, to) => {
        const value = raw.read(data, from, to);
        if (isNone(value)) return undefined;
        const result = plain ? value : shown(value);
        // Some devices say "no reading" by NaN or infinity.
        return Number.isFinite(result) ? result : undefined;
      },
      number,
      sizeOf,
      write,
      limits: edges,
      step: raw.float ? undefined : Math.abs(factor),
    };
  }
  const { M, K, decimals } = exact;
  const ends = [BigInt(raw.min) * BigInt(M) + BigInt(K), BigInt(raw.max) * BigInt(M) + BigInt(K)];
  const [least, most] = ends[0]! < ends[1]! ? [ends[0]!, ends[1]!] : [ends[1]!, ends[0]!];
  const fits = INTEGERS.find(([, min, max]) => least >= BigInt(min) && most <= BigInt(max));
  const common = {
    ...shared,
    scale: decimals === 0 ? 0 : -decimals,
    number,
    sizeOf,
    write,
    limits: edges,
    step: Math.abs(M) / 10 ** decimals,
  };
  if (fits !== undefined) {
    const simple = raw.simple === undefined || none.length > 0 ? undefined : { ...raw.simple, M, K, isBool: false };
    return { ...common, type: fits[0], read: integerRead(raw, M, K, none), simple };
  }
  const m = BigInt(M);
  const k = BigInt(K);
  const wide: RawNumber['readBig'] = raw.big ? raw.readBig : (data, from, to) => BigInt(raw.read(data, from, to));
  return {
    ...common,
    type: least < 0n ? 'i64' : 'u64',
    read: (data, from, to) => {
      if (raw.partial && Number.isNaN(raw.read(data, from, to))) return undefined;
      const value = wide(data, from, to);
      if (none.length > 0 && isNone(Number(value))) return undefined;
      const result = value * m + k;
      const kept = least < 0n ? BigInt.asIntN(64, result) : BigInt.asUintN(64, result);
      return kept === result ? result : undefined;
    },
  };
}

/** The hot path: a closure with nothing in it that the field does not need. */
function integerRead(raw: RawNumber, M: number, K: number, none: readonly number[]): Codec['read'] {
  const { read } = raw;
  const isNone = noneTest(none);
  if (none.length > 0) {
    return (data, from, to) => {
      const value = read(data, from, to);
      return isNone(value) ? undefined : value * M + K;
    };
  }
  if (raw.partial) {
    return (data, from, to) => {
      const value = read(data, from, to);
      return value === value ? value * M + K : undefined;
    };
  }
  return M === 1 && K === 0 ? read : (data, from, to) => read(data, from, to) * M + K;
}

function inside<T extends number | bigint>(raw: RawNumber, value: T): T {
  // The bounds of 64 bits are no exact numbers.
  const fits =
    raw.big && raw.size !== undefined
      ? (raw.min < 0 ? BigInt.asIntN(8 * raw.size, BigInt(value)) : BigInt.asUintN(8 * raw.size, BigInt(value))) ===
        BigInt(value)
      : value >= raw.min && value <= raw.max;
  if (fits) return value;
  throw new RangeError(`the raw value ${value} does not fit ${raw.min} to ${raw.max}`);
}
