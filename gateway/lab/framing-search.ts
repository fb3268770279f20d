/**
 * Guesses at the framing of a capture, from its bytes alone, and how well each one cuts it.
 *
 * ```
 *   pieces as they are · flags with escapes · a sync with a fixed length, a length field or a tail ·
 *   no sync: a length field from the front on
 * ```
 */
import { type Capture, joined } from './capture.ts';
import { constantTail } from './checksum-search.ts';
import {
  cutFrames,
  type Frames,
  type Framing,
  indexOfBytes,
  LENGTH_TYPES,
  lengthBytes,
  MAX_FRAME,
  type Sync,
} from './framing.ts';
import { lengthsOfSteps } from './length-search.ts';
import { SAMPLE_BYTES, sampleOf, type SyncCandidate, syncCandidates } from './sync-candidates.ts';

export interface CutCapture {
  readonly framing: Framing;
  readonly capture: Capture;
  readonly cut: Frames;
  /** How much of the capture lies in frames, 0–1. */
  readonly share: number;
  /** Bits of evidence that the structure alone gives: every frame that stands where the last one ended. */
  readonly bits: number;
}

/** So many of the guesses are looked at more closely. */
const KEPT = 48;
const MIN_SHARE = 0.4;

/** The guesses that cut this capture into at least two frames (or one piece), those with the most evidence first. */
export function searchFramings(capture: Capture): CutCapture[] {
  const whole = joined(capture);
  const sample = sampleOf(whole);
  const guesses: { framing: Framing; capture: Capture }[] = [];
  const add = (framing: Framing, of: Capture): void => void guesses.push({ framing, capture: of });

  add({ escape: undefined, sync: undefined, length: { kind: 'piece' } }, capture);
  for (const escape of ['hdlc', 'slip', 'cobs'] as const) {
    if (flagsIn(sample, escape) >= 2) add({ escape, sync: undefined, length: { kind: 'piece' } }, whole);
  }
  for (const candidate of syncCandidates(
    sample,
    capture.pieces.slice(0, 8).map(({ bytes }) => bytes),
  )) {
    for (const framing of framingsOf(sample, candidate)) {
      add(framing, whole);
    }
  }
  for (const framing of framingsWithoutSync(capture)) add(framing, capture);

  const seen = new Set<string>();
  return guesses
    .map(({ framing, capture: of }) => judged(framing, of))
    .filter(({ cut, share }) => cut.frames.length > 0 && share >= MIN_SHARE)
    .toSorted((a, b) => rank(b) - rank(a))
    .filter((guess) => {
      // The same frames by another name: the guess with more evidence stays.
      const key = `${guess.framing.escape} ${guess.cut.frames.map(({ length, byteOffset }) => `${byteOffset}+${length}`).join(' ')}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, KEPT);
}

/** Cuts a capture by one framing and weighs the outcome. */
export function judged(framing: Framing, capture: Capture, good?: (frame: Uint8Array) => boolean): CutCapture {
  const cut = cutFrames(capture, framing, good);
  const share = capture.size === 0 ? 0 : cut.covered / capture.size;
  return { framing, capture, cut, share, bits: structureBits(framing, cut, capture) };
}

/**
 * Every frame that begins with the sync right where the one before it ended is a prediction that came true, and so is a
 * piece that begins with a frame. What the guess itself could be chosen from is taken off.
 */
function structureBits({ sync, length, escape }: Framing, cut: Frames, capture: Capture): number {
  const n = cut.frames.length;
  if (escape !== undefined) return Math.min(n, 20) * Math.min(12, 2 + 6 * commonPrefix(cut.frames)) + 4;
  const confirmed = Math.min(cut.confirmed, 20) * (sync === undefined ? 0 : surprise(sync, n, capture));
  switch (length.kind) {
    case 'piece':
      return capture.pieces.length > 1 ? Math.min(n, 12) * 3 : 2;
    case 'tail':
      return Math.min(n, 20) * Math.min(2, length.bytes.length) * 4 - 14;
    case 'fixed':
      return confirmed - 10 + borderBits(cut, capture);
    case 'field': {
      // Without a sync, a frame that ends where the piece ends is all there is to go by.
      if (sync === undefined) return Math.min(cut.onBorder, 12) * 4 - 12;
      const lengths = new Set(cut.frames.map(({ length: bytes }) => bytes)).size;
      return confirmed + Math.min(lengths - 1, 6) * 3 - 14 + borderBits(cut, capture);
    }
  }
}

/** Bytes that all frames begin with: between flags that stand in data by chance there are none. */
function commonPrefix(frames: readonly Uint8Array[]): number {
  const [first] = frames;
  if (first === undefined || frames.length < 2) return 0;
  let length = 0;
  while (length < 2 && frames.every((frame) => frame.length > length && frame[length] === first[length])) length += 1;
  return length;
}

/**
 * How many bits it is worth to find the sync at one place: the rarer it is elsewhere, the more. At most 6 a byte and those
 * of two bytes: the first two are what a person would call the sync, more constant bytes say little more.
 */
function surprise(sync: Sync, frames: number, capture: Capture): number {
  let found = 0;
  let looked = 0;
  for (const { bytes } of capture.pieces) {
    const end = Math.min(bytes.length, SAMPLE_BYTES - looked);
    for (let at = indexOfBytes(bytes, sync.bytes, 0, end); at !== -1; found++) {
      at = indexOfBytes(bytes, sync.bytes, at + 1, end);
    }
    looked += end;
    if (looked >= SAMPLE_BYTES) break;
  }
  const elsewhere = Math.max(0, found - frames);
  const most = 6 * Math.min(2, sync.bytes.length) - (sync.at > 0 ? 2 : 0);
  return Math.min(most, Math.log2(looked / (elsewhere + 1)));
}

function borderBits(cut: Frames, capture: Capture): number {
  return Math.min(cut.onBorder, 6) * (capture.borders === 'none' ? 2 : 4);
}

function rank({ share, bits }: CutCapture): number {
  return share * share * Math.max(1, bits);
}

function flagsIn(sample: Uint8Array, escape: 'hdlc' | 'slip' | 'cobs'): number {
  const flag = { hdlc: 0x7e, slip: 0xc0, cobs: 0x00 }[escape];
  let count = 0;
  for (const byte of sample) if (byte === flag) count += 1;
  return count;
}

function framingsOf(sample: Uint8Array, candidate: SyncCandidate): Framing[] {
  const { bytes, places } = candidate;
  const framings: Framing[] = [];
  const sync = { at: 0, bytes };
  for (const step of commonSteps(places)) {
    framings.push({ escape: undefined, sync, length: { kind: 'fixed', bytes: step } });
    // What comes every time may as well stand inside a frame, behind an address.
    for (let before = 1; before <= Math.min(4, step - bytes.length); before++) {
      framings.push({ escape: undefined, sync: { at: before, bytes }, length: { kind: 'fixed', bytes: step } });
    }
  }
  for (const { field } of lengthsOfSteps(sample, candidate)) {
    framings.push({ escape: undefined, sync, length: { kind: 'field', field } });
  }
  const tail = tailBefore(sample, places);
  if (tail !== undefined) framings.push({ escape: undefined, sync, length: { kind: 'tail', bytes: tail } });
  return framings;
}

/** The commonest steps from one place to the next. */
function commonSteps(places: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (let i = 1; i < places.length; i++) {
    const step = (places[i] as number) - (places[i - 1] as number);
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return [...counts]
    .filter(([step, count]) => step >= 4 && step <= MAX_FRAME && count >= places.length / 4)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, 2)
    .map(([step]) => step);
}

/** One or two bytes that stand before every place but the first, and are rare elsewhere. */
function tailBefore(sample: Uint8Array, places: readonly number[]): Uint8Array | undefined {
  const ends = places.filter((place) => place >= 2).map((place) => sample.subarray(Math.max(0, place - 2), place));
  const length = Math.min(2, constantTail(ends));
  const tail = ends.at(-1)?.subarray(2 - length);
  if (ends.length < 2 || tail === undefined || tail.length === 0) return undefined;
  let found = 0;
  for (let at = indexOfBytes(sample, tail, 0, sample.length); at !== -1; found++) {
    at = indexOfBytes(sample, tail, at + 1, sample.length);
  }
  return found <= places.length + 1 ? tail.slice() : undefined;
}

/** Length fields that lead from the front of each piece exactly to its end. */
function framingsWithoutSync(capture: Capture): Framing[] {
  const framings: Framing[] = [];
  const pieces = capture.pieces.slice(0, 64).filter(({ bytes }) => bytes.length <= 16 * MAX_FRAME);
  for (let at = 0; at <= 8; at++) {
    for (const type of LENGTH_TYPES) {
      const end = at + lengthBytes(type);
      for (const times of [1, 2] as const) {
        for (let plus = 0; plus <= end + 8; plus++) {
          const framing: Framing = {
            escape: undefined,
            sync: undefined,
            length: { kind: 'field', field: { at, type, times, plus } },
          };
          const { frames, covered } = cutFrames({ ...capture, pieces }, framing);
          const size = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
          if (covered >= 0.9 * size && frames.length >= 2) framings.push(framing);
        }
      }
    }
  }
  return framings;
}
