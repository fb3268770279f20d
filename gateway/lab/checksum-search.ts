/**
 * Which checksum, over which bytes, at which place, fits a set of frames.
 *
 * ```
 *   | 0 … from | from … to: what it is over | … | the checksum, 1, 2 or 4 bytes | the tail |
 *                                                 in either byte order, or as hex digits
 * ```
 *
 * Every combination is tried on the first frames and dropped when it fails on more than a few; chance is accounted for:
 * a fit is worth its width in bits for each frame that differs, less the bits of the number of combinations tried.
 */
import {
  adler32,
  CRC_CATALOGUE,
  type CrcName,
  fletcher16,
  fletcher32,
  fletcher8Mod256,
  makeNamedCrc,
  onesComplement,
  sum16,
  sum32,
  sum8,
  twosComplement,
  xor8,
  type Checksum,
} from '../../protocol/index.ts';

export interface Algorithm {
  /** As the profile language calls it. */
  readonly name: string;
  readonly complement: 'ones' | 'twos' | undefined;
  readonly size: 1 | 2 | 4;
  readonly compute: Checksum;
  /** How a constant may have been put in: `add` for sums, `xor`; undefined where the initial value is a parameter. */
  readonly constant: 'add' | 'xor' | undefined;
}

export interface ChecksumFit {
  readonly algorithm: Algorithm;
  /** The first byte it is over, from the front. */
  readonly from: number;
  /** Where it ends, from the end of the frame: -2 is "all but the last two". */
  readonly to: number;
  /** Its own place, from the end of the frame. */
  readonly at: number;
  readonly order: 'big' | 'little';
  readonly encoding: 'binary' | 'hex';
  /** What is added (or XORed) besides; 0 for none. */
  readonly constant: number;
  /** Frames it fits, and all that were looked at. */
  readonly fits: number;
  readonly of: number;
  /** How sure: the odds that chance alone does this are 1 in 2^bits. */
  readonly bits: number;
}

/** So many frames, all different, decide. */
const SAMPLE = 64;
/** A checksum that is not right for this share of the frames is none; the rest may be noise. */
const MIN_SHARE = 0.8;
/** Checksums begin to count no later than here. */
const MAX_FROM = 12;
const MAX_TEXT_FROM = 2;

export const ALGORITHMS: readonly Algorithm[] = buildAlgorithms();

function buildAlgorithms(): Algorithm[] {
  const crcs = (Object.keys(CRC_CATALOGUE) as CrcName[]).map((name) =>
    plain(name, (CRC_CATALOGUE[name].width / 8) as 1 | 2 | 4, makeNamedCrc(name)),
  );
  return [
    ...sum('sum8', 1, sum8),
    { ...plain('xor8', 1, xor8), constant: 'xor' },
    ...sum('sum16', 2, sum16),
    ...sum('sum32', 4, sum32),
    ...crcs,
    plain('fletcher8', 2, fletcher8Mod256),
    plain('fletcher16', 2, fletcher16),
    plain('fletcher32', 4, fletcher32),
    plain('adler32', 4, adler32),
  ];
}

/** A sum, and its complements. */
function sum(name: string, size: 1 | 2 | 4, compute: Checksum): Algorithm[] {
  const width = (size * 8) as 8 | 16 | 32;
  return [
    { name, complement: undefined, size, compute, constant: 'add' },
    {
      name,
      complement: 'twos',
      size,
      compute: (bytes, from, to) => twosComplement(compute(bytes, from, to), width),
      constant: 'add',
    },
    {
      name,
      complement: 'ones',
      size,
      compute: (bytes, from, to) => onesComplement(compute(bytes, from, to), width),
      constant: 'add',
    },
  ];
}

function plain(name: string, size: 1 | 2 | 4, compute: Checksum): Algorithm {
  return { name, complement: undefined, size, compute, constant: undefined };
}

/** The checksum that `fit` expects in `frame`, the constant included. */
export function computeFit(fit: ChecksumFit, frame: Uint8Array): number {
  const plain = fit.algorithm.compute(frame, fit.from, frame.length + fit.to);
  return withConstant(fit.algorithm, plain, fit.constant);
}

/** The checksum that stands in `frame`; undefined where there is none (too short, no hex digits). */
export function readFit(fit: ChecksumFit, frame: Uint8Array): number | undefined {
  return readCheck(frame, frame.length + fit.at, fit.algorithm.size, fit.order, fit.encoding);
}

/** Whether a whole frame is right by `fit`. */
export function fitHolds(fit: ChecksumFit, frame: Uint8Array): boolean {
  return frame.length + fit.to > fit.from && readFit(fit, frame) === computeFit(fit, frame);
}

function withConstant({ constant, size }: Algorithm, value: number, by: number): number {
  if (by === 0) return value;
  const mask = 2 ** (size * 8);
  return constant === 'xor' ? (value ^ by) >>> 0 : (value + by) % mask;
}

function readCheck(
  frame: Uint8Array,
  at: number,
  size: 1 | 2 | 4,
  order: 'big' | 'little',
  encoding: 'binary' | 'hex',
): number | undefined {
  const length = encoding === 'hex' ? size * 2 : size;
  if (at < 0 || at + length > frame.length) return undefined;
  let value = 0;
  if (encoding === 'hex') {
    for (let i = 0; i < length; i++) {
      const digit = hexDigit(frame[at + i] ?? 0);
      if (digit === -1) return undefined;
      value = value * 16 + digit;
    }
    return value;
  }
  for (let i = 0; i < size; i++) value = value * 256 + (frame[order === 'big' ? at + i : at + size - 1 - i] ?? 0);
  return value;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** One place of a checksum with the range it may be over. */
interface Place {
  readonly at: number;
  readonly to: number;
  readonly size: 1 | 2 | 4;
  readonly order: 'big' | 'little';
  readonly encoding: 'binary' | 'hex';
}

/**
 * The checksums that fit, the best first; those that say the same of these frames as a better one are left out.
 * `textual` looks for hex digits instead of bytes.
 */
export function searchChecksums(frames: readonly Uint8Array[], textual = false): ChecksumFit[] {
  const all = distinct(frames);
  const sample = all.length <= SAMPLE ? all : spread(all, SAMPLE);
  const shortest = sample.reduce((least, frame) => Math.min(least, frame.length), Number.POSITIVE_INFINITY);
  if (sample.length === 0 || shortest < 3) return [];

  let tried = 0;
  const found: ChecksumFit[] = [];
  for (const place of placesOf(sample, shortest, textual)) {
    for (const algorithm of ALGORITHMS) {
      if (algorithm.size !== place.size) continue;
      for (let from = 0; from <= Math.min(textual ? MAX_TEXT_FROM : MAX_FROM, shortest + place.to - 1); from++) {
        tried += 1;
        const fit = tryFit(sample, algorithm, place, from);
        if (fit !== undefined) found.push(fit);
      }
    }
  }
  const cost = Math.log2(Math.max(1, tried));
  return found
    .map((fit) => ({ ...fit, ...countFits(fit, all, cost) }))
    .filter((fit) => fit.fits >= MIN_SHARE * fit.of)
    .toSorted(better)
    .filter(isFirstOfItsKind);
}

function* placesOf(sample: readonly Uint8Array[], shortest: number, textual: boolean): Generator<Place> {
  const tail = constantTail(sample);
  for (let behind = 0; behind <= Math.min(2, tail); behind++) {
    for (const size of [1, 2, 4] as const) {
      const length = textual ? size * 2 : size;
      const at = -behind - length;
      // What a checksum is over ends where it begins, or a little before: a field of four bytes with two in use, a `*`.
      for (let before = 0; before <= 2; before++) {
        const to = at - before;
        if (shortest + to < 1) break;
        for (const order of textual || size === 1 ? (['big'] as const) : (['big', 'little'] as const)) {
          yield { at, to, size, order, encoding: textual ? 'hex' : 'binary' };
        }
      }
    }
  }
}

/** How many last bytes are the same in all frames; only these may stand behind a checksum. */
export function constantTail(frames: readonly Uint8Array[]): number {
  const [first] = frames;
  if (first === undefined || frames.length < 2) return 0;
  let length = 0;
  while (
    length < 4 &&
    frames.every((frame) => frame.length > length && frame.at(-1 - length) === first.at(-1 - length))
  ) {
    length += 1;
  }
  return length;
}

/** The combination on the sample: undefined as soon as too many frames say no. */
function tryFit(
  sample: readonly Uint8Array[],
  algorithm: Algorithm,
  place: Place,
  from: number,
): ChecksumFit | undefined {
  const wrongAllowed = Math.floor(sample.length * (1 - MIN_SHARE));
  const constants = algorithm.constant === undefined ? [0] : constantsToTry(sample, algorithm, place, from);
  for (const constant of constants) {
    let wrong = 0;
    for (const frame of sample) {
      const received = readCheck(frame, frame.length + place.at, place.size, place.order, place.encoding);
      const computed = withConstant(algorithm, algorithm.compute(frame, from, frame.length + place.to), constant);
      if (received !== computed && ++wrong > wrongAllowed) break;
    }
    if (wrong <= wrongAllowed) return { algorithm, from, ...place, constant, fits: 0, of: 0, bits: 0 };
  }
  return undefined;
}

/** None, and what the first frames lack, if they lack the same. */
function constantsToTry(sample: readonly Uint8Array[], algorithm: Algorithm, place: Place, from: number): number[] {
  if (sample.length < 4 || place.encoding === 'hex') return [0];
  const lack = (frame: Uint8Array | undefined): number | undefined => {
    if (frame === undefined) return undefined;
    const received = readCheck(frame, frame.length + place.at, place.size, place.order, place.encoding);
    if (received === undefined) return undefined;
    const computed = algorithm.compute(frame, from, frame.length + place.to);
    if (algorithm.constant === 'xor') return (received ^ computed) >>> 0;
    const modulus = 2 ** (place.size * 8);
    return (received - computed + modulus) % modulus;
  };
  const [first, second] = [lack(sample[0]), lack(sample[1])];
  return first === undefined || first === 0 || first !== second ? [0] : [0, first];
}

function countFits(
  fit: ChecksumFit,
  frames: readonly Uint8Array[],
  cost: number,
): { fits: number; of: number; bits: number } {
  const fits = frames.filter((frame) => fitHolds(fit, frame)).length;
  const width = 8 * movingBytes(fit, frames);
  // A constant was taken from one of the frames: that one proves nothing. Each frame that fails speaks against it.
  const proofs = fits - (fit.constant === 0 ? 0 : 1);
  const bits = proofs * width - (frames.length - fits) * width - cost;
  return { fits, of: frames.length, bits };
}

/** How many bytes of the checksum differ between frames; one that rests, as the high byte of a small sum, proves nothing. */
function movingBytes(fit: ChecksumFit, frames: readonly Uint8Array[]): number {
  const { size } = fit.algorithm;
  if (frames.length < 2) return size;
  const all = frames.map((frame) => readFit(fit, frame) ?? 0);
  let moving = 0;
  for (let shift = 0; shift < size; shift++) {
    const byteOf = (value: number): number => Math.floor(value / 256 ** shift) % 256;
    if (all.some((value) => byteOf(value) !== byteOf(all[0] ?? 0))) moving += 1;
  }
  return moving;
}

/** More evidence first; then what people build: no constant, from the front or right behind the sync, up to its place. */
function better(a: ChecksumFit, b: ChecksumFit): number {
  return b.bits - a.bits || oddity(a) - oddity(b);
}

function oddity(fit: ChecksumFit): number {
  const gap = fit.at - fit.to;
  return (
    (fit.constant === 0 ? 0 : 40) +
    gap * 10 +
    fit.from +
    { none: 0, twos: 0.5, ones: 1.6 }[fit.algorithm.complement ?? 'none'] +
    fit.algorithm.size * 0.1
  );
}

/** Of the same algorithm at the same place with as much evidence, only the plainest range is told. */
function isFirstOfItsKind(fit: ChecksumFit, index: number, all: readonly ChecksumFit[]): boolean {
  return !all
    .slice(0, index)
    .some((other) => other.algorithm.name === fit.algorithm.name && other.at === fit.at && other.order === fit.order);
}

/** The frames without repetitions: the same bytes again prove nothing. */
export function distinct(frames: readonly Uint8Array[]): Uint8Array[] {
  const seen = new Map<string, Uint8Array>();
  for (const frame of frames) {
    const key = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('latin1');
    if (!seen.has(key)) seen.set(key, frame);
  }
  return [...seen.values()];
}

/** `count` of them, evenly from first to last. */
function spread<T>(of: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, index) => of[Math.floor((index * of.length) / count)] as T);
}
