/**
 * What the bytes of alike frames do from one frame to the next: stay, count, move like a measurement, or jump.
 *
 * ```
 *   frame 1   42 4d 00 1c 00 08 …      a column a byte; several together are a number when that moves more smoothly
 *   frame 2   42 4d 00 1c 00 09 …      than its bytes do: each type is worth the bits that its steps save against chance
 *             └─constant─┘ └ u16
 * ```
 */

/** A number, text or bytes of a frame; offsets from its front. */
export interface Column {
  readonly at: number;
  readonly size: number;
  readonly kind: 'constant' | 'counter' | 'measurement' | 'state' | 'text' | 'noise';
  /** For numbers. */
  readonly type: NumberType | undefined;
  readonly order: 'big' | 'little';
  /** For people: `+1 a frame`, `from 8 to 12`. */
  readonly note: string;
}

export const NUMBER_TYPES = ['u8', 'u16', 'i16', 'u24', 'u32', 'i32', 'f32'] as const;
export type NumberType = (typeof NUMBER_TYPES)[number];

const SIZES: Readonly<Record<NumberType, number>> = { u8: 1, u16: 2, i16: 2, u24: 3, u32: 4, i32: 4, f32: 4 };
/** Frames looked at; steps beyond tell nothing new. */
const MOST_FRAMES = 256;
/** So many printable characters in all are no chance any more. */
const ENOUGH_TEXT = 12;
/** A type must save so many bits more than its bytes alone: simple explanations win. */
const TYPE_COST = 3;

/** The columns of the bytes `[from, to)` of these frames (all at least `to` long), in order, without gaps. */
export function columnsOf(frames: readonly Uint8Array[], from: number, to: number): Column[] {
  const looked = frames.slice(0, MOST_FRAMES);
  const big = bestSplit(looked, from, to, 'big');
  const little = bestSplit(looked, from, to, 'little');
  return little.worth > big.worth + TYPE_COST ? little.columns : big.columns;
}

/** The split into columns that is worth most, by dynamic programming from the front. */
function bestSplit(
  frames: readonly Uint8Array[],
  from: number,
  to: number,
  order: 'big' | 'little',
): { columns: Column[]; worth: number } {
  const best: { worth: number; columns: Column[] }[] = [{ worth: 0, columns: [] }];
  const texts = textRuns(frames, from, to);
  for (let end = from + 1; end <= to; end++) {
    let chosen: { worth: number; before: number; column: Column } | undefined;
    for (const type of NUMBER_TYPES) {
      const at = end - SIZES[type];
      if (at < from) continue;
      const { column, worth } = weigh(frames, at, type, order);
      const total = (best[at - from] as { worth: number }).worth + worth;
      if (chosen === undefined || total > chosen.worth) chosen = { worth: total, before: at, column };
    }
    const text = texts.find(({ to: textEnd }) => textEnd === end);
    if (text !== undefined) {
      const column: Column = {
        at: text.from,
        size: text.to - text.from,
        kind: 'text',
        type: undefined,
        order: 'big',
        note: 'text',
      };
      const total = (best[text.from - from] as { worth: number }).worth + (text.to - text.from) * frames.length * 9;
      if (chosen === undefined || total > chosen.worth) chosen = { worth: total, before: text.from, column };
    }
    // A column of one byte always fits.
    const { worth, before, column } = chosen as { worth: number; before: number; column: Column };
    best.push({ worth, columns: [...(best[before - from] as { columns: Column[] }).columns, column] });
  }
  return best.at(-1) as { worth: number; columns: Column[] };
}

/** A column of this type, and how many bits its steps save against bytes thrown by dice. */
function weigh(
  frames: readonly Uint8Array[],
  at: number,
  type: NumberType,
  order: 'big' | 'little',
): { column: Column; worth: number } {
  const size = SIZES[type];
  const column = (kind: Column['kind'], note: string): Column => ({ at, size, kind, type, order, note });
  const values = frames.map((frame) => readNumber(frame, at, type, order));
  const [first = 0] = values;
  const steps = values.slice(1).map((value, index) => value - (values[index] as number));
  const cost = size === 1 ? 0 : size === 2 && restsLow(frames, order === 'big' ? at : at + 1) ? -2 : TYPE_COST;
  if (values.every((value) => value === first)) {
    // Constant bytes are told one by one; the caller joins them.
    return size === 1
      ? { column: column('constant', hex(first)), worth: 8 * steps.length }
      : { column: column('constant', ''), worth: Number.NEGATIVE_INFINITY };
  }
  // Bytes at both ends of a number must take part in it: a constant byte next to a moving one is a high byte at most.
  if (size > 1 && !endsMove(frames, at, size, type, order)) {
    return { column: column('noise', ''), worth: Number.NEGATIVE_INFINITY };
  }
  const counted = counterStep(steps, 2 ** (8 * size), type);
  if (counted !== undefined) {
    // A counter has a high byte only where that is 0 or moves along.
    const rests = size === 2 && values.every((value) => value >> 8 === first >> 8) && first > 0xff;
    if (rests) return { column: column('noise', ''), worth: Number.NEGATIVE_INFINITY };
    return { column: column('counter', `+${counted} a frame`), worth: 8 * size * steps.length - cost - 2 };
  }
  const saved = type === 'f32' ? savedByFloat(values) : savedByInteger(values, steps, size, type);
  const kinds = new Set(values).size;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const range = `from ${shown(low)} to ${shown(high)}`;
  if (size === 1 && kinds <= 4 && frames.length >= 6 * kinds && high - low > 3) {
    return {
      column: column('state', `${kinds} values: ${[...new Set(values)].slice(0, 4).map(hex).join(', ')}`),
      worth: saved,
    };
  }
  const smooth = saved > 1.5 * steps.length;
  return { column: column(smooth ? 'measurement' : 'noise', range), worth: saved - cost };
}

/** The number of a type at a place. */
export function readNumber(frame: Uint8Array, at: number, type: NumberType, order: 'big' | 'little'): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const little = order === 'little';
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, little);
    case 'i16':
      return view.getInt16(at, little);
    case 'u24':
      return little
        ? view.getUint16(at, true) + view.getUint8(at + 2) * 65_536
        : view.getUint8(at) * 65_536 + view.getUint16(at + 1);
    case 'u32':
      return view.getUint32(at, little);
    case 'i32':
      return view.getInt32(at, little);
    case 'f32':
      return view.getFloat32(at, little);
  }
}

/**
 * The lowest byte moves (else it is no number but bytes), and the highest byte of one of three or four moves or is that
 * of a float; two bytes with a high byte that rests are the usual 16-bit number.
 */
function endsMove(
  frames: readonly Uint8Array[],
  at: number,
  size: number,
  type: NumberType,
  order: 'big' | 'little',
): boolean {
  const moves = (column: number): boolean => frames.some((frame) => frame[column] !== frames[0]?.[column]);
  const low = order === 'big' ? at + size - 1 : at;
  const high = order === 'big' ? at : at + size - 1;
  if (type === 'f32') return moves(low) || moves(order === 'big' ? at + 1 : at + 2);
  if (!moves(low)) return false;
  // A resting high byte of a 16-bit number is 0 (or ff of a small negative one); others are bytes of their own.
  const top = frames[0]?.[high] ?? 0;
  if (moves(high)) return true;
  if (size === 2) return top < 0x10 || (type === 'i16' && top === 0xff);
  const next = order === 'big' ? high + 1 : high - 1;
  return size === 4 && (top === 0 || top === 0xff) && moves(next);
}

/** A byte that is small and hardly moves: next to one that moves more it is the high byte of a number, as a rule. */
function restsLow(frames: readonly Uint8Array[], column: number): boolean {
  const values = frames.map((frame) => frame[column] ?? 0);
  const high = Math.max(...values);
  return high < 0x40 && high - Math.min(...values) <= 8;
}

/** The step that (nearly) all steps are, modulo the width: a counter; undefined for anything else. */
function counterStep(steps: readonly number[], modulus: number, type: NumberType): number | undefined {
  if (type === 'f32' || type === 'i16' || type === 'i32' || steps.length < 3) return undefined;
  const counts = new Map<number, number>();
  for (const step of steps) {
    const forward = (step + modulus) % modulus;
    counts.set(forward, (counts.get(forward) ?? 0) + 1);
  }
  const [step, count] = [...counts].toSorted((a, b) => b[1] - a[1])[0] as [number, number];
  return step > 0 && step <= 1_000 && step < modulus / 4 && count >= 0.9 * steps.length ? step : undefined;
}

function savedByInteger(values: readonly number[], steps: readonly number[], size: number, type: NumberType): number {
  const width = 8 * size;
  let saved = 0;
  for (const step of steps) saved += Math.max(-1, width - Math.log2(2 * Math.abs(step) + 1) - 0.5);
  // A signed type has to earn its sign.
  if (type === 'i16' || type === 'i32') {
    const negative = values.some((value) => value < 0);
    const positive = values.some((value) => value >= 0);
    const small = values.every((value) => Math.abs(value) < 2 ** (width - 2));
    if (!negative || !small) return Number.NEGATIVE_INFINITY;
    saved += positive ? 1 : 2;
  } else if (values.every((value) => value >= 2 ** width - 2 ** (width - 4)) && size > 1) saved -= 4;
  // A 32-bit number whose top byte is high all the time is more likely a float, or two things.
  if (size === 4 && values.every((value) => Math.abs(value) >= 2 ** 28)) saved -= 4 * steps.length;
  return saved;
}

function plausible(value: number): boolean {
  return value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) <= 1e7);
}

/** Floats of measurements lie in a narrow band of all floats, or are 0. */
function savedByFloat(values: readonly number[]): number {
  if (!values.every(plausible) || values.filter((value) => value !== 0).length < values.length / 2) {
    return Number.NEGATIVE_INFINITY;
  }
  const largest = Math.max(...values.map(Math.abs));
  let saved = 0;
  for (let i = 1; i < values.length; i++) {
    const change = Math.abs((values[i] as number) - (values[i - 1] as number)) / largest;
    saved += 10 + Math.min(20, -Math.log2(change + 2 ** -20));
  }
  return saved;
}

/** Runs of at least four bytes that are printable in every frame, and at least one letter or a sign in each. */
function textRuns(frames: readonly Uint8Array[], from: number, to: number): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = [];
  for (let at = from; at < to; ) {
    let end = at;
    while (end < to && frames.every((frame) => isPrintable(frame[end] ?? 0))) end += 1;
    if (
      end - at >= 4 &&
      (end - at) * frames.length >= ENOUGH_TEXT &&
      frames.every((frame) => frame.subarray(at, end).some((byte) => byte >= 0x41))
    ) {
      runs.push({ from: at, to: end });
    }
    at = Math.max(end, at + 1);
  }
  return runs;
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}
