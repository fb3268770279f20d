/**
 * Where frames may tell their length, and what the number counts.
 *
 * ```
 *   | sync | … | value | ……………… | checksum | tail |       length of the frame = value × times + plus
 *   plus = 0: it counts the whole frame; = its own end: what follows it; + the checksum: the data only
 * ```
 */
import { LENGTH_TYPES, type LengthField, lengthBytes, MAX_FRAME, readLength } from './framing.ts';
import type { SyncCandidate } from './sync-candidates.ts';

/** A length stands near the front. */
const MAX_AT = 12;
const TIMES = [1, 2] as const;
/** It counts no more than so many bytes besides what it says. */
const MAX_PLUS = 32;

export interface LengthGuess {
  readonly field: LengthField;
  /** Frames (or steps from one sync to a later one) that it explains. */
  readonly fits: number;
  /** Lengths that differ among them; with one only, any constant would do. */
  readonly lengths: number;
}

/** The fields that tell the length of every whole frame; those first that explain the most different lengths. */
export function lengthsOfFrames(frames: readonly Uint8Array[]): LengthGuess[] {
  const shortest = frames.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  const [first] = frames;
  const guesses: LengthGuess[] = [];
  if (first === undefined) return guesses;
  const lengths = new Set(frames.map(({ length }) => length)).size;
  for (const at of range(0, Math.min(MAX_AT, shortest - 1))) {
    for (const type of LENGTH_TYPES) {
      if (at + lengthBytes(type) > shortest) continue;
      for (const times of TIMES) {
        const plus = first.length - readLength(first, at, type) * times;
        if (plus < 0 || plus > MAX_PLUS) continue;
        const field: LengthField = { at, type, times, plus };
        const fits = frames.filter((frame) => frame.length === readLength(frame, at, type) * times + plus).length;
        if (fits === frames.length) guesses.push({ field, fits, lengths });
      }
    }
  }
  return guesses.toSorted((a, b) => oddity(a.field) - oddity(b.field));
}

/** Of frames that are all of one length: a field whose constant number is just what it would count. */
export function plainLengths(frames: readonly Uint8Array[], checkAndTail: number): LengthField[] {
  return lengthsOfFrames(frames)
    .map(({ field }) => field)
    .filter(({ at, type, times, plus }) => {
      const end = at + lengthBytes(type);
      return times === 1 && (plus === end || plus === end + checkAndTail || (plus === 0 && at > 0));
    });
}

/**
 * Guesses from where a sync stands: the step to the next sync, or to the one after it (the next may be a false one in the
 * data), is the length.
 */
export function lengthsOfSteps(sample: Uint8Array, { places, bytes }: SyncCandidate): LengthGuess[] {
  const counts = new Map<string, { guess: LengthField; fits: number; lengths: Set<number> }>();
  const looked = places.slice(0, 400);
  for (const [index, place] of looked.entries()) {
    // The last one ends, perhaps, with the sample.
    const ends = [looked[index + 1] ?? sample.length, looked[index + 2]];
    for (const at of range(bytes.length, MAX_AT)) {
      for (const type of LENGTH_TYPES) {
        const header = at + lengthBytes(type);
        if (place + header > sample.length) continue;
        const value = readLength(sample, place + at, type);
        for (const times of TIMES) {
          for (const end of ends) {
            if (end === undefined) continue;
            const step = end - place;
            const plus = step - value * times;
            if (plus < 0 || plus > MAX_PLUS || step < header || step > MAX_FRAME) continue;
            const key = `${at} ${type} ${times} ${plus}`;
            const entry = counts.get(key);
            if (entry === undefined) {
              counts.set(key, { guess: { at, type, times, plus }, fits: 1, lengths: new Set([step]) });
            } else {
              entry.fits += 1;
              entry.lengths.add(step);
            }
          }
        }
      }
    }
  }
  return [...counts.values()]
    .filter(({ fits }) => fits >= 2 && fits >= looked.length / 3)
    .map(({ guess, fits, lengths }) => ({ field: guess, fits, lengths: lengths.size }))
    .toSorted((a, b) => b.fits - a.fits || oddity(a.field) - oddity(b.field))
    .slice(0, 6);
}

/** What people build, first: near the front, bytes not words, a number that says what follows it. */
function oddity({ at, type, times, plus }: LengthField): number {
  const end = at + lengthBytes(type);
  const counted = plus === end || plus === 0 ? 0 : plus > end ? 1 : 2;
  return at + counted * 4 + (times === 1 ? 0 : 20) + (type === 'u8' ? 0.5 : type === 'u16' ? 0 : 0.6);
}

/** In words, what the number counts. `check` and `tail` are the bytes of the checksum and of the tail. */
export function countsWhat({ at, type, times, plus }: LengthField, check: number, tail: number): string {
  const end = at + lengthBytes(type);
  const unit = times === 1 ? 'bytes' : '16-bit words';
  if (plus === 0) return `${unit} of the whole frame`;
  if (plus === end) return `${unit} after it`;
  if (plus === at) return `${unit} from itself to the end`;
  if (tail > 0 && plus === end + tail) return `${unit} after it without the tail`;
  if (check > 0 && plus === end + check + tail) return `${unit} between it and the checksum`;
  if (plus < end) return `${unit} from byte ${plus} to the end`;
  return `${unit}, and ${plus} more bytes make the frame`;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}
