/**
 * Which profiles read a capture already: then perhaps nothing has to be found out. Makers use the same framing for many
 * devices, so that a frame which decodes is no proof; what speaks against a profile is told with it.
 */
import type { Profile, ProfileInstance } from '../../protocol/index.ts';
import type { Capture } from './capture.ts';
import { columnsOf } from './columns.ts';

export interface KnownProfile {
  readonly name: string;
  readonly title: string;
  /** Frames with readings. */
  readonly frames: number;
  /** How much of the capture lies in them, 0–1. */
  readonly share: number;
  /** What speaks against it, for people: `bytes 6–7, which it does not use, move like a measurement`. */
  readonly doubts: readonly string[];
}

/** A profile counts when so much of the capture lies in frames that it decodes. */
const MIN_SHARE = 0.3;
/** One decoder looks at no more. */
const MAX_BYTES = 64 * 1024;

/** So many frames of one kind are kept for a closer look. */
const MOST_FRAMES = 256;
/** Fewer frames do not say how bytes move. */
const LEAST_FRAMES = 6;
const MAX_DOUBTS = 4;

/** The profiles that decode frames of this capture with readings in them: without doubts first, then by how much they read. */
export function knownProfiles(capture: Capture, profiles: readonly Profile[]): KnownProfile[] {
  return profiles
    .flatMap((profile) => {
      const found = readWith(profile, capture);
      return found === undefined ? [] : [found];
    })
    .toSorted(
      (a, b) => Number(a.doubts.length > 0) - Number(b.doubts.length > 0) || b.share - a.share || b.frames - a.frames,
    )
    .slice(0, 4);
}

function readWith(profile: Profile, capture: Capture): KnownProfile | undefined {
  // A profile that needs a parameter without a default says nothing before it has one; registers are chosen by their reader.
  if (profile.checkParameters({}).length > 0 || profile.channels.length === 0) return undefined;
  const instance = profile.open();
  let frames = 0;
  let covered = 0;
  let looked = 0;
  const kinds = new Map<string, Uint8Array[]>();
  const outside = new Map<number, number>();
  for (const { bytes } of capture.pieces) {
    if (looked >= MAX_BYTES) break;
    const decoder = instance.createDecoder();
    const piece = bytes.slice(0, MAX_BYTES - looked);
    looked += piece.length;
    decoder.push(piece);
    decoder.end();
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      if (item.kind !== 'frame') continue;
      const decoded = instance.decode(item.bytes);
      if (!decoded.ok || decoded.samples.every(({ values }) => values.length === 0)) continue;
      frames += 1;
      covered += item.wireLength;
      keep(kinds, `${decoded.message} ${item.bytes.length}`, item.bytes);
      for (const { values } of decoded.samples) {
        for (const { channel, quality } of values) {
          if (quality === 'out_of_range') outside.set(channel, (outside.get(channel) ?? 0) + 1);
        }
      }
    }
  }
  const share = looked === 0 ? 0 : covered / looked;
  if (share < MIN_SHARE) return undefined;
  const doubts = [...outsideDoubts(profile, outside, frames), ...unusedDoubts(instance, kinds)].slice(0, MAX_DOUBTS);
  return { name: profile.name, title: profile.about.title, frames, share, doubts };
}

function keep(kinds: Map<string, Uint8Array[]>, kind: string, frame: Uint8Array): void {
  const kept = kinds.get(kind) ?? [];
  // The decoder takes its bytes back.
  if (kept.length < MOST_FRAMES) kept.push(frame.slice());
  kinds.set(kind, kept);
}

/** Channels whose values are, mostly, such as the device cannot measure. */
function outsideDoubts(profile: Profile, outside: ReadonlyMap<number, number>, frames: number): string[] {
  return profile.channels.flatMap(({ number, alias, range }) => {
    const count = outside.get(number) ?? 0;
    if (count < Math.max(2, frames / 10) || range === undefined) return [];
    return [`${alias} is outside of ${range[0]} to ${range[1]} in ${count} frames`];
  });
}

/** Bytes that the profile leaves unused and that move as if they said something. */
function unusedDoubts(instance: ProfileInstance, kinds: ReadonlyMap<string, readonly Uint8Array[]>): string[] {
  return [...kinds.values()].flatMap((frames) => {
    const [first] = frames;
    if (first === undefined || frames.length < LEAST_FRAMES) return [];
    const { bytes, parts } = instance.explain(first);
    // What was stuffed is explained unstuffed: then places do not match.
    if (bytes.length !== first.length) return [];
    return parts
      .filter(({ name }) => name === 'unused')
      .flatMap(({ from, to }) => columnsOf(frames, from, to))
      .filter(({ kind }) => kind === 'measurement' || kind === 'counter')
      .map(({ at, size, kind, note }) => {
        const place =
          size === 1
            ? `byte ${at}, which it does not use, moves`
            : `bytes ${at}–${at + size - 1}, which it does not use, move`;
        return `${place} like a ${kind} (${note})`;
      });
  });
}
