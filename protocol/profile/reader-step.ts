/**
 * The hot path: one field of a frame becomes one value. Each variant has in it what its field needs and no more.
 */
import type { Quality, RawValue, Value, ValueType } from '../link/value.ts';
import { printable } from '../text.ts';
import type { ChannelEntry } from './channel-table.ts';
import type { Codec } from './codec.ts';
import { applyExponent } from './exponent.ts';
import type { Exponent } from './exponent.ts';
import type { Machine, Step } from './machine.ts';
import type { Measure } from './measure.ts';
import type { FieldSpec } from './spec.ts';
import { decimalText, toHex } from './text-value.ts';

export interface ReaderOptions {
  readonly name: string;
  readonly at: number;
  /** Bytes: so many, as many as the frame says, or up to the end of the content. */
  readonly sized: number | Measure | 'end';
  readonly codec: Codec;
  /** Where expressions look; −1: none does. */
  readonly slot: number;
  readonly channel: ChannelEntry | undefined;
  readonly spec: FieldSpec;
  readonly when: ((w: Machine) => number) | undefined;
  readonly exponent: Exponent | undefined;
  /** A frame that ends before it is fine. */
  readonly lenient: boolean;
  readonly within: 'frame' | 'element';
}

/** The step that reads a field at its place. */
export function readerStep(options: ReaderOptions): Step {
  const { at, sized, slot, when, exponent, lenient } = options;
  const emit = emitter(options);
  const simple =
    typeof sized === 'number' &&
    at >= 0 &&
    !lenient &&
    when === undefined &&
    exponent === undefined &&
    options.within === 'frame';
  // The message has seen to it that the frame is long enough.
  if (simple) return (w) => emit(w, at, at + sized, 0);
  return (w) => {
    clear(w, slot);
    if (when !== undefined) {
      const holds = when(w);
      if (holds === 0 || Number.isNaN(holds)) return;
    }
    const from = at < 0 ? w.length + at : w.base + at;
    let to = w.end;
    if (typeof sized === 'number') {
      to = from + sized;
    } else if (sized !== 'end') {
      const size = sized.read(w);
      to = size < 0 ? Number.POSITIVE_INFINITY : from + size;
    }
    if (from < 0 || to < from || to > (at < 0 ? w.length : w.end)) {
      if (!lenient && w.failedAt < 0) w.failedAt = Math.max(0, Math.min(from, w.length));
      return;
    }
    if (to > w.reach) w.reach = to;
    let power = 0;
    if (exponent !== undefined) {
      power = exponent.read(w);
      if (Number.isNaN(power)) return;
    }
    emit(w, from, to, power);
  };
}

/** Forgets what expressions saw. */
export function clear(w: Machine, slot: number): void {
  if (slot < 0) return;
  w.numbers[slot] = Number.NaN;
  w.texts[slot] = undefined;
}

/** Reads `data[from..to)`, which lies in the frame, fills slot and trace, and tells the value. */
export type Emit = (w: Machine, from: number, to: number, power: number) => void;

export function emitter(
  options: Pick<ReaderOptions, 'name' | 'codec' | 'slot' | 'channel' | 'spec' | 'exponent'>,
): Emit {
  const { codec, slot, channel, spec, exponent } = options;
  const { read, number, scale } = codec;
  const shown = exponent !== undefined || channel?.mixed === true;
  const type: ValueType = shown ? 'f64' : codec.type;
  const channelNumber = channel?.number ?? -1;
  const judge = qualityJudge(spec.range, shown ? 0 : scale, codec.kind === 'number');
  const isText = codec.text !== undefined;
  return (w, from, to, power) => {
    const plain = read(w.data, from, to);
    const value = plain === undefined || !shown ? plain : applyExponent(number(w.data, from, to), power);
    if (slot >= 0) {
      w.numbers[slot] =
        isText || value === undefined ? Number.NaN : shown ? (value as number) : number(w.data, from, to);
      w.texts[slot] = isText && typeof value === 'string' ? value : undefined;
    }
    if (value !== undefined && channelNumber >= 0) {
      w.values.push({ channel: channelNumber, type, quality: judge(value), value });
    }
    if (w.trace !== undefined) w.trace.push(traceOf(options, w, from, to, value, power));
  };
}

/** Good, or out of range; the range is scaled once, not every value. */
export function qualityJudge(
  range: readonly [number, number] | undefined,
  scale: number,
  isNumber: boolean,
): (value: RawValue) => Quality {
  if (range === undefined || !isNumber) return good;
  const least = applyExponent(range[0], -scale);
  const most = applyExponent(range[1], -scale);
  return (value) => {
    const number = typeof value === 'number' ? value : Number(value);
    return number < least || number > most ? 'out_of_range' : 'good';
  };
}

function good(): Quality {
  return 'good';
}

/** How a value is shown to people. */
export function shownValue(value: Value['value'] | undefined, scale: number, unit: string | undefined): string {
  if (value === undefined) return 'no reading';
  if (typeof value === 'string') return printable(value, 80);
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  const text =
    scale === 0
      ? String(value)
      : scale > 0
        ? String(Number(value) * 10 ** scale)
        : typeof value === 'bigint' && (value > 9_007_199_254_740_991n || value < -9_007_199_254_740_991n)
          ? `${value} × 10^${scale}`
          : decimalText(Number(value) / 10 ** -scale, -scale);
  return unit === undefined ? text : `${text} ${unit}`;
}

export function traceOf(
  { name, codec, spec, exponent, channel }: Pick<ReaderOptions, 'name' | 'codec' | 'spec' | 'exponent' | 'channel'>,
  w: Machine,
  from: number,
  to: number,
  value: RawValue | undefined,
  power: number,
): NonNullable<Machine['trace']>[number] {
  const shown = exponent !== undefined || channel?.mixed === true;
  const raw = codec.raw(w.data, from, to);
  const notes = [
    raw === '' ? '' : `raw ${raw}`,
    exponent === undefined ? '' : `× 10^${power}`,
    spec.hidden ? 'hidden' : '',
  ];
  return {
    from,
    to,
    name,
    value: shownValue(value, shown ? 0 : codec.scale, spec.unit),
    note: notes.filter((note) => note !== '').join(', '),
  };
}
