/** The profiles that no file can say, by name: what `profile:` in a configuration may also name. */
import type { Profile } from '../profile/profile.ts';
import { GT06 } from './gt06.ts';
import { TELTONIKA } from './teltonika.ts';

const CODECS: ReadonlyMap<string, Profile> = new Map([GT06, TELTONIKA].map((profile) => [profile.name, profile]));

/** Their names. */
export const CODEC_NAMES: readonly string[] = Array.from(CODECS.keys());

/** The codec of this name, or undefined. */
export function profileCodec(name: string): Profile | undefined {
  return CODECS.get(name);
}
