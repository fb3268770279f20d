/**
 * Numbers in bytes: integers of 1 to 8 bytes, floats, BCD, in every byte order.
 *
 * ```
 *   value 0x0A0B0C0D   big            0A 0B 0C 0D
 *                      little         0D 0C 0B 0A
 *                      word-swapped   0C 0D 0A 0B      16-bit words, the low one first
 *                      byte-swapped   0B 0A 0D 0C      the bytes of each word swapped
 *   value 1234 as BCD                 12 34            (little: 34 12)
 * ```
 *
 * Integers of more than 48 bits are bigints, everything else is a number.
 */
import type { FieldType, IntegerType, Order } from './spec.ts';

/** How a number lies in bytes. Places are checked by the caller. */
export interface NumberFormat {
  readonly size: number;
  readonly signed: boolean;
  readonly float: boolean;
  /** What fits. */
  readonly min: number;
  readonly max: number;
  /** Reads with `readBig`, because a number would lose bits. */
  readonly big: boolean;
  /** NaN when the bytes are no such number (BCD with digits over 9). For `big` ones rounded. */
  readonly read: (data: Uint8Array, at: number) => number;
  readonly readBig: (data: Uint8Array, at: number) => bigint;
  /** Writes `value`, which fits. */
  readonly write: (data: Uint8Array, at: number, value: number | bigint) => void;
}

const scratch = new Uint8Array(8);
const view = new DataView(scratch.buffer);

/** Bytes of an integer type. */
export function integerSize(type: IntegerType): number {
  return Number(type.slice(1)) / 8;
}

export function isIntegerType(type: FieldType): type is IntegerType {
  return /^[ui]\d/.test(type);
}

/** Where each byte of the value (highest first) stands. */
function positions(size: number, order: Order): readonly number[] {
  const big = Array.from({ length: size }, (_, i) => i);
  if (order === 'big') return big;
  if (order === 'little') return big.toReversed();
  // Swapping needs whole words; an odd number of bytes keeps its last byte.
  const words = Math.floor(size / 2);
  if (order === 'byte-swapped') return big.map((i) => (i < 2 * words ? i ^ 1 : i));
  return big.map((i) => (i < 2 * words ? 2 * (words - 1 - (i >> 1)) + (i & 1) : i));
}

/** The format of an integer type. */
export function integerFormat(type: IntegerType, order: Order): NumberFormat {
  const size = integerSize(type);
  const signed = type[0] === 'i';
  const bits = 8 * size;
  const span = 2 ** bits;
  const big = size > 6;
  const place = positions(size, order);
  const readBig = (data: Uint8Array, at: number): bigint => {
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(data[at + place[i]!]!);
    return signed ? BigInt.asIntN(bits, value) : value;
  };
  return {
    size,
    signed,
    float: false,
    min: signed ? -span / 2 : 0,
    max: signed ? span / 2 - 1 : span - 1,
    big,
    read: big ? (data, at) => Number(readBig(data, at)) : integerReader(size, signed, order, place),
    readBig,
    write: (data, at, value) => {
      let rest = BigInt.asUintN(bits, BigInt(value));
      for (let i = size - 1; i >= 0; i--) {
        data[at + place[i]!] = Number(rest & 0xffn);
        rest >>= 8n;
      }
    },
  };
}

/** The everyday sizes by hand; the loop below does the rest. */
function integerReader(
  size: number,
  signed: boolean,
  order: Order,
  place: readonly number[],
): (data: Uint8Array, at: number) => number {
  const little = order === 'little';
  if (size === 1) return signed ? (d, at) => (d[at]! << 24) >> 24 : (d, at) => d[at]!;
  if (size === 2 && (order === 'big' || order === 'word-swapped')) {
    return signed ? (d, at) => ((d[at]! << 24) >> 16) | d[at + 1]! : (d, at) => (d[at]! << 8) | d[at + 1]!;
  }
  if (size === 2) {
    return signed ? (d, at) => ((d[at + 1]! << 24) >> 16) | d[at]! : (d, at) => (d[at + 1]! << 8) | d[at]!;
  }
  if (size === 4 && (little || order === 'big')) {
    const [a, b, c, e] = little ? [3, 2, 1, 0] : [0, 1, 2, 3];
    const read = (d: Uint8Array, at: number): number =>
      (d[at + a]! << 24) | (d[at + b]! << 16) | (d[at + c]! << 8) | d[at + e]!;
    return signed ? read : (d, at) => read(d, at) >>> 0;
  }
  const half = 2 ** (8 * size - 1);
  return (data, at) => {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + data[at + place[i]!]!;
    return signed && value >= half ? value - 2 * half : value;
  };
}

/** The format of f32 and f64. */
export function floatFormat(type: 'f32' | 'f64', order: Order): NumberFormat {
  const size = type === 'f32' ? 4 : 8;
  const place = positions(size, order);
  const read = (data: Uint8Array, at: number): number => {
    for (let i = 0; i < size; i++) scratch[i] = data[at + place[i]!]!;
    return size === 4 ? view.getFloat32(0) : view.getFloat64(0);
  };
  const max = size === 4 ? 3.4028234663852886e38 : Number.MAX_VALUE;
  return {
    size,
    signed: true,
    float: true,
    min: -max,
    max,
    big: false,
    read,
    readBig: (data, at) => BigInt(Math.trunc(read(data, at))),
    write: (data, at, value) => {
      if (size === 4) view.setFloat32(0, Number(value));
      else view.setFloat64(0, Number(value));
      for (let i = 0; i < size; i++) data[at + place[i]!] = scratch[i]!;
    },
  };
}

/** The most digits that a number holds exactly. */
export const MAX_BCD_DIGITS = 15;

/** BCD of `digits` digits in `size` bytes; with `signed` the highest bit is the sign. */
export function bcdFormat(size: number, digits: number, order: Order, signed: boolean): NumberFormat {
  const place = positions(size, order);
  const odd = digits < 2 * size;
  const topDigit = signed ? 7 : 9;
  const max = signed && !odd ? 8 * 10 ** (digits - 1) - 1 : 10 ** digits - 1;
  const read = (data: Uint8Array, at: number): number => {
    let value = 0;
    let negative = false;
    for (let i = 0; i < size; i++) {
      let byte = data[at + place[i]!]!;
      if (i === 0 && signed && byte & 0x80) {
        negative = true;
        byte &= 0x7f;
      }
      const high = i === 0 && odd ? 0 : byte >> 4;
      const low = byte & 0x0f;
      if (low > 9 || high > (i === 0 ? topDigit : 9)) return Number.NaN;
      value = value * 100 + high * 10 + low;
    }
    return negative ? -value : value;
  };
  return {
    size,
    signed,
    float: false,
    min: signed ? -max : 0,
    max,
    big: false,
    read,
    readBig: (data, at) => BigInt(read(data, at)),
    write: (data, at, value) => {
      let rest = Math.abs(Number(value));
      for (let i = size - 1; i >= 0; i--) {
        const pair = rest % 100;
        rest = Math.floor(rest / 100);
        data[at + place[i]!] = (Math.floor(pair / 10) << 4) | (pair % 10);
      }
      if (signed && Number(value) < 0) data[at + place[0]!]! |= 0x80;
    },
  };
}
