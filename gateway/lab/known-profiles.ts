/** Which profiles read a capture already: then nothing has to be found out. */
import type { Profile } from '../../protocol/index.ts';
import type { Capture } from './capture.ts';

export interface KnownProfile {
  readonly name: string;
  readonly title: string;
  /** Frames with readings. */
  readonly frames: number;
  /** How much of the capture lies in them, 0–1. */
  readonly share: number;
}

/** A profile counts when so much of the capture lies in frames that it decodes. */
const MIN_SHARE = 0.3;
/** One decoder looks at no more. */
const MAX_BYTES = 64 * 1024;

/** The profiles that decode frames of this capture with readings in them, those that read most of it first. */
export function knownProfiles(capture: Capture, profiles: readonly Profile[]): KnownProfile[] {
  return profiles
    .flatMap((profile) => {
      const found = readWith(profile, capture);
      return found === undefined ? [] : [found];
    })
    .toSorted((a, b) => b.share - a.share || b.frames - a.frames)
    .slice(0, 4);
}

function readWith(profile: Profile, capture: Capture): KnownProfile | undefined {
  // A profile that needs a parameter without a default says nothing before it has one; registers are chosen by their reader.
  if (profile.checkParameters({}).length > 0 || profile.channels.length === 0) return undefined;
  const instance = profile.open();
  let frames = 0;
  let covered = 0;
  let looked = 0;
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
    }
  }
  const share = looked === 0 ? 0 : covered / looked;
  return share < MIN_SHARE ? undefined : { name: profile.name, title: profile.about.title, frames, share };
}
