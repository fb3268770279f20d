/**
 * Length: a field near the start of the frame says how long it is.
 *
 * ```
 *   | sync 0–4 | … | length field | … body … | trailer |
 *   0              at             ↑ at + its width
 *   └──────────────── total = value + plus ────────────┘      binary, and ASCII digits of fixed width
 *
 *   | sync 0–4 | … | digits | terminator | … body … | trailer |      ASCII digits of any width ("12:hello world!,")
 *                                        └─ value + plus ─────┘
 * ```
 *
 * `plus` stands for everything that the field does not count. The limit holds for the total, and is looked at before the
 * body is waited for.
 */
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';
import { BAD_LENGTH, NEED_MORE, ResyncDecoder, TOO_LONG } from './resync-decoder.ts';

/** The length field. `at` counts from the first byte of the frame, the sync included. */
export type LengthField =
  /** A binary integer, big-endian unless `little`. */
  | { readonly at: number; readonly type: 'u8' | 'u16' | 'u24' | 'u32'; readonly little?: boolean }
  /** Exactly `digits` ASCII digits, with leading zeros. */
  | { readonly at: number; readonly type: 'ascii'; readonly digits: number }
  /** One to `maxDigits` ASCII digits without leading zeros, then the byte `terminator` (netstring: a colon). */
  | { readonly at: number; readonly type: 'ascii'; readonly maxDigits: number; readonly terminator: number };

export interface LengthOptions {
  /** What every frame starts with: 0 to 4 bytes. */
  readonly sync?: Uint8Array;
  readonly field: LengthField;
  /** Added to the value of the field to get the total (with `terminator`: what follows the terminator). Default 0. */
  readonly plus?: number;
  /** What every frame ends with. */
  readonly trailer?: Uint8Array;
  /** The longest frame, in all. */
  readonly maxBytes: number;
  /** Whether content is the whole frame (default), or what lies between length field and trailer. */
  readonly content?: 'whole' | 'body';
  /** Says whether a whole frame is right, by its checksum; if not, the search goes on one byte later. */
  readonly verify?: (frame: Uint8Array) => boolean;
}

const NOTHING = new Uint8Array(0);
const WIDTHS = { u8: 1, u16: 2, u24: 3, u32: 4 } as const;
const ZERO = 0x30;
const NINE = 0x39;

/** A decoder of frames with a length field. */
export function lengthDecoder(options: LengthOptions): FrameDecoder {
  check(options);
  const { field, sync = NOTHING, trailer = NOTHING, content = 'whole', verify } = options;
  const whole = content === 'whole';
  return new ResyncDecoder({
    sync,
    probe: 'terminator' in field ? openProbe(field, options) : fixedProbe(field, options),
    trailer,
    verify,
    contentFrom: (data, at) => (whole ? at : bodyAt(field, data, at)),
    contentTo: (at, total) => (whole ? at + total : at + total - trailer.length),
  });
}

/**
 * The encoder. With content `whole` it takes a frame in full and sets sync, length field and trailer in a copy of it, so
 * the caller may leave them blank (not with a `terminator`, where the caller's digits decide the layout: it only
 * checks). With `body` it puts the rest around the body; bytes between sync and length field are then 0. RangeError for
 * what the decoder would refuse.
 */
export function lengthEncoder(options: LengthOptions): FrameEncoder {
  check(options);
  const { field, sync = NOTHING, trailer = NOTHING, plus = 0, content = 'whole', maxBytes } = options;
  return (input) => {
    if ('terminator' in field) {
      if (content === 'whole') {
        const frame = new Uint8Array(input);
        frame.set(sync.subarray(0, frame.length));
        if (openProbe(field, options)(frame, 0, frame.length) !== frame.length) refuse(input.length);
        frame.set(trailer, frame.length - trailer.length);
        return frame;
      }
      const value = input.length + trailer.length - plus;
      if (value < 0) refuse(input.length);
      const digits = String(value);
      const head = field.at + digits.length + 1;
      if (digits.length > field.maxDigits || head + input.length + trailer.length > maxBytes) refuse(input.length);
      const frame = new Uint8Array(head + input.length + trailer.length);
      frame.set(sync);
      writeDigits(frame, field.at, digits);
      frame[head - 1] = field.terminator;
      frame.set(input, head);
      frame.set(trailer, head + input.length);
      return frame;
    }
    const head = field.at + widthOf(field);
    const total = content === 'whole' ? input.length : head + input.length + trailer.length;
    const value = total - plus;
    if (total > maxBytes || total < head + trailer.length || value < 0 || value > largest(field)) refuse(input.length);
    const frame = new Uint8Array(total);
    frame.set(input, content === 'whole' ? 0 : head);
    frame.set(sync);
    if (field.type === 'ascii') {
      writeDigits(frame, field.at, String(value).padStart(field.digits, '0'));
    } else {
      const width = WIDTHS[field.type];
      for (let i = 0; i < width; i++) {
        const shift = 8 * (field.little === true ? i : width - 1 - i);
        frame[field.at + i] = value >>> shift;
      }
    }
    frame.set(trailer, total - trailer.length);
    return frame;
  };
}

function refuse(length: number): never {
  throw new RangeError(`no frame can be made of ${length} bytes`);
}

type FixedField = Exclude<LengthField, { terminator: number }>;
type OpenField = Extract<LengthField, { terminator: number }>;
type Probe = (data: Uint8Array, at: number, end: number) => number;

/** The probe for a field of fixed width. */
function fixedProbe(field: FixedField, options: LengthOptions): Probe {
  const { plus = 0, maxBytes } = options;
  const head = field.at + widthOf(field);
  const least = head + (options.trailer?.length ?? 0);
  return (data, at, end) => {
    if (at + head > end) return NEED_MORE;
    const from = at + field.at;
    let value = 0;
    if (field.type === 'ascii') {
      for (let i = from; i < at + head; i++) {
        const byte = data[i]!;
        if (byte < ZERO || byte > NINE) return BAD_LENGTH;
        value = value * 10 + byte - ZERO;
      }
    } else {
      const width = WIDTHS[field.type];
      // Multiplied, not shifted: a u32 must not turn negative.
      for (let i = 0; i < width; i++)
        value = value * 256 + data[field.little === true ? from + width - 1 - i : from + i]!;
    }
    return within(value + plus, least, maxBytes);
  };
}

/** The probe for digits up to a terminator. */
function openProbe(field: OpenField, options: LengthOptions): Probe {
  const { plus = 0, maxBytes } = options;
  const trailerLength = options.trailer?.length ?? 0;
  return (data, at, end) => {
    const from = at + field.at;
    let value = 0;
    let i = from;
    for (; i < end && i - from < field.maxDigits; i++) {
      const byte = data[i]!;
      if (byte < ZERO || byte > NINE) break;
      // A leading zero has no reason to be there; a second way to write a number is a second way to be wrong.
      if (value === 0 && i > from) return BAD_LENGTH;
      value = value * 10 + byte - ZERO;
    }
    if (i >= end) return NEED_MORE;
    if (i === from || data[i] !== field.terminator) return BAD_LENGTH;
    const head = i + 1 - at;
    return within(head + value + plus, head + trailerLength, maxBytes);
  };
}

function within(total: number, least: number, most: number): number {
  if (total > most) return TOO_LONG;
  return total < least ? BAD_LENGTH : total;
}

function widthOf(field: FixedField): number {
  return field.type === 'ascii' ? field.digits : WIDTHS[field.type];
}

function largest(field: FixedField): number {
  return (field.type === 'ascii' ? 10 : 256) ** widthOf(field) - 1;
}

/** Where the body of the good frame at `at` starts. */
function bodyAt(field: LengthField, data: Uint8Array, at: number): number {
  if (!('terminator' in field)) return at + field.at + widthOf(field);
  return data.indexOf(field.terminator, at + field.at) + 1;
}

function writeDigits(frame: Uint8Array, at: number, digits: string): void {
  for (let i = 0; i < digits.length; i++) frame[at + i] = digits.charCodeAt(i);
}

function check(options: LengthOptions): void {
  const { field, sync = NOTHING, plus = 0, maxBytes } = options;
  if (sync.length > 4) throw new RangeError('a sync has at most 4 bytes');
  if (!(Number.isInteger(field.at) && field.at >= sync.length)) throw new RangeError('the length field is in the sync');
  if (!Number.isInteger(plus)) throw new RangeError('plus must be a whole number');
  if (!(Number.isInteger(maxBytes) && maxBytes >= 1)) throw new RangeError('maxBytes must be a positive whole number');
  if (field.type !== 'ascii') return;
  const digits = 'terminator' in field ? field.maxDigits : field.digits;
  if (!(Number.isInteger(digits) && digits >= 1 && digits <= 10)) throw new RangeError('digits must be 1 to 10');
  if ('terminator' in field && field.terminator >= ZERO && field.terminator <= NINE) {
    throw new RangeError('the terminator must not be a digit');
  }
}
