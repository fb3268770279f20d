/** Byte strings that may begin every frame: what stands at the borders of pieces, and what comes again and again. */
import type { Capture } from './capture.ts';

export interface SyncCandidate {
  readonly bytes: Uint8Array;
  /** Where it stands in the sample, in rising order. */
  readonly places: readonly number[];
}

/** The structure shows in so many bytes, or not at all. */
export const SAMPLE_BYTES = 16_384;
const LONGEST = 4;
/** How many strings of each length are tried. */
const TRIED = [64, 48, 24, 16] as const;

/** The beginning of a capture that is one piece; the search for structure is done here. */
export function sampleOf(capture: Capture): Uint8Array {
  const [first] = capture.pieces;
  return first === undefined ? new Uint8Array(0) : first.bytes.subarray(0, SAMPLE_BYTES);
}

/**
 * Candidates of 1 to 4 bytes that stand at least twice in the sample, those first that come most evenly. `starts` are
 * byte strings that are tried in any case, because pieces begin with them.
 */
export function syncCandidates(sample: Uint8Array, starts: readonly Uint8Array[]): SyncCandidate[] {
  const wanted = new Set(starts.flatMap((start) => prefixes(start).map(keyOf)));
  const found: SyncCandidate[] = [];
  for (let length = 1; length <= LONGEST; length++) {
    const placesOf = new Map<string, number[]>();
    for (let at = 0; at + length <= sample.length; at++) {
      const key = keyOf(sample.subarray(at, at + length));
      const places = placesOf.get(key);
      if (places === undefined) placesOf.set(key, [at]);
      else if (at - (places.at(-1) as number) >= length) places.push(at);
    }
    const candidates = [...placesOf]
      .filter(([, places]) => places.length >= 2 && places.length <= sample.length / 3)
      .map(([key, places]) => ({ key, places, worth: worth(places, wanted.has(key)) }))
      .toSorted((a, b) => b.worth - a.worth)
      .slice(0, TRIED[length - 1]);
    for (const { key, places } of candidates)
      found.push({ bytes: Uint8Array.from(Buffer.from(key, 'latin1')), places });
  }
  return found;
}

/** How often it comes, and how evenly: the share of steps between two that are like the commonest step. */
function worth(places: readonly number[], atBorders: boolean): number {
  const steps = new Map<number, number>();
  let most = 0;
  for (let i = 1; i < places.length; i++) {
    const step = (places[i] as number) - (places[i - 1] as number);
    const count = (steps.get(step) ?? 0) + 1;
    steps.set(step, count);
    most = Math.max(most, count);
  }
  return places.length * (0.2 + most / places.length) * (atBorders ? 100 : 1);
}

function prefixes(start: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.min(LONGEST, start.length) }, (_, i) => start.subarray(0, i + 1));
}

function keyOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
