/**
 * Most fields of most devices: an integer of up to four bytes at a fixed place, some of its bits, times M plus K.
 *
 * ```
 *   bytes ─ op ─→ raw ─ mask, shift ─→ × M + K ─→ { channel, type, quality, value }
 * ```
 *
 * They are data instead of closures: one loop reads them all, which is several times as fast as a call for each.
 */
import type { ValueType } from '../link/value.ts';
import type { Machine, Step } from './machine.ts';
import type { IntegerType, Order } from './spec.ts';

/** How the bytes are read: an index, for a switch. */
const OPS: Readonly<Record<string, number>> = {
  u8: 0,
  i8: 1,
  'u16 big': 2,
  'i16 big': 3,
  'u16 little': 4,
  'i16 little': 5,
  'u32 big': 6,
  'i32 big': 7,
  'u32 little': 8,
  'i32 little': 9,
};

/** The number behind a simple field. */
export interface SimpleNumber {
  readonly op: number;
  /** 0: all bits. */
  readonly mask: number;
  readonly shift: number;
}

/** The conversion of a simple field. */
export interface SimpleCodec extends SimpleNumber {
  readonly M: number;
  readonly K: number;
  readonly isBool: boolean;
}

/** A class, so that all of them have one shape and the loop stays fast. */
export class SimpleField {
  readonly op: number;
  readonly mask: number;
  readonly shift: number;
  readonly isBool: boolean;
  /** M is 1 and K is 0. */
  readonly isPlain: boolean;
  readonly M: number;
  readonly K: number;
  readonly at: number;
  /** −1: hidden. */
  readonly channel: number;
  readonly type: ValueType;
  /** −1: no expression looks at it. */
  readonly slot: number;
  /** The shown number is value / unit. */
  readonly unit: number;
  readonly isRanged: boolean;
  /** In whole numbers, as `value`. */
  readonly least: number;
  readonly most: number;

  constructor(
    codec: SimpleCodec,
    at: number,
    channel: number,
    type: ValueType,
    slot: number,
    unit: number,
    range: readonly [number, number] | undefined,
  ) {
    this.op = codec.op;
    this.mask = codec.mask;
    this.shift = codec.shift;
    this.isBool = codec.isBool;
    this.isPlain = codec.M === 1 && codec.K === 0;
    this.M = codec.M;
    this.K = codec.K;
    this.at = at;
    this.channel = channel;
    this.type = type;
    this.slot = slot;
    this.unit = unit;
    this.isRanged = range !== undefined;
    this.least = range === undefined ? 0 : range[0] * unit;
    this.most = range === undefined ? 0 : range[1] * unit;
  }
}

/** The simple number of an integer type, if it is one. */
export function simpleNumber(type: IntegerType, order: Order): SimpleNumber | undefined {
  const op =
    OPS[type] ??
    OPS[
      `${type} ${order === 'word-swapped' && type.endsWith('16') ? 'big' : order === 'byte-swapped' && type.endsWith('16') ? 'little' : order}`
    ];
  return op === undefined ? undefined : { op, mask: 0, shift: 0 };
}

/** Reads a field at a place that lies in the frame. */
export function readSimple(w: Machine, field: SimpleField, at: number): void {
  const d = w.data;
  let raw: number;
  switch (field.op) {
    case 0:
      raw = d[at]!;
      break;
    case 1:
      raw = (d[at]! << 24) >> 24;
      break;
    case 2:
      raw = (d[at]! << 8) | d[at + 1]!;
      break;
    case 3:
      raw = ((d[at]! << 24) >> 16) | d[at + 1]!;
      break;
    case 4:
      raw = (d[at + 1]! << 8) | d[at]!;
      break;
    case 5:
      raw = ((d[at + 1]! << 24) >> 16) | d[at]!;
      break;
    case 6:
      raw = ((d[at]! << 24) | (d[at + 1]! << 16) | (d[at + 2]! << 8) | d[at + 3]!) >>> 0;
      break;
    case 7:
      raw = (d[at]! << 24) | (d[at + 1]! << 16) | (d[at + 2]! << 8) | d[at + 3]!;
      break;
    case 8:
      raw = ((d[at + 3]! << 24) | (d[at + 2]! << 16) | (d[at + 1]! << 8) | d[at]!) >>> 0;
      break;
    default:
      raw = (d[at + 3]! << 24) | (d[at + 2]! << 16) | (d[at + 1]! << 8) | d[at]!;
  }
  if (field.mask !== 0) raw = (raw & field.mask) >>> field.shift;
  if (field.isBool) {
    if (field.slot >= 0) w.numbers[field.slot] = raw === 0 ? 0 : 1;
    if (field.channel >= 0) w.values.push({ channel: field.channel, type: 'bool', quality: 'good', value: raw !== 0 });
    return;
  }
  const value = field.isPlain ? raw : raw * field.M + field.K;
  if (field.slot >= 0) w.numbers[field.slot] = value / field.unit;
  if (field.channel >= 0) {
    const quality = field.isRanged && (value < field.least || value > field.most) ? 'out_of_range' : 'good';
    w.values.push({ channel: field.channel, type: field.type, quality, value });
  }
}

/** One step for many fields; `traced` are the steps that do the same with explanations. */
export function simpleSteps(fields: readonly SimpleField[], traced: readonly Step[]): Step {
  return (w) => {
    if (w.trace !== undefined) {
      for (const step of traced) step(w);
      return;
    }
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      readSimple(w, field, field.at);
    }
  };
}
