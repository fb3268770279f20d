/** The shipped profiles by name, from the files of the repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CODEC_NAMES, formatProfileProblem, loadProfile, profileCodec } from '../../protocol/index.ts';
import type { Profile } from '../../protocol/index.ts';

/** The folder of the profile files; the same from the sources and from what is built of them. */
export function profileFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const found = join(folder, 'protocol', 'profiles');
    if (existsSync(join(found, 'pms5003.yaml'))) return found;
    if (folder === dirname(folder)) throw new Error('protocol/profiles is not above this file');
  }
}

/** The names of all files and codecs, in order. */
export function shippedProfiles(): string[] {
  return [...profileFiles(), ...CODEC_NAMES].toSorted();
}

/** The names of all files, in order. */
export function profileFiles(): string[] {
  return readdirSync(profileFolder())
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .toSorted();
}

/** The profile of this name; `registers` for a generic Modbus device. Throws with what is wrong with its file. */
export function shippedProfile(name: string, registers?: Readonly<Record<string, unknown>>): Profile {
  const codec = profileCodec(name);
  if (codec !== undefined) return codec;
  const file = join(profileFolder(), `${name}.yaml`);
  const text = readFileSync(file, 'utf8');
  const loaded = loadProfile({ name, text, file, ...(registers === undefined ? {} : { registers }) });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProfileProblem).join('\n'));
  return loaded.profile;
}
