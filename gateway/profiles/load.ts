/**
 * From what a user writes behind `profile:` to the profile: one that is shipped, by its name, or a file of his own.
 *
 * ```
 *   pms5003          → protocol/profiles/pms5003.yaml of this package, or the codec of this name
 *   ./my_meter.yaml  → a file: everything with a slash, or ending in .yaml or .yml
 * ```
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CODEC_NAMES, loadProfile, type Profile, profileCodec, type ProfileProblem } from '../../protocol/index.ts';

/** No description of a device is longer. */
const MAX_FILE_BYTES = 1_048_576;
const NAME = /^[a-z0-9_]{1,32}$/;

export type FoundProfile =
  /** `file`: where its text is; undefined for a codec. `fingerprint` changes with the text. */
  | {
      readonly ok: true;
      readonly profile: Profile;
      readonly file: string | undefined;
      readonly fingerprint: string;
    }
  /** There is no such profile, or its file cannot be read. */
  | { readonly ok: false; readonly code: 'not-found' | 'unreadable'; readonly message: string }
  /** What is wrong with its text, each with its place. */
  | { readonly ok: false; readonly code: 'invalid'; readonly problems: readonly ProfileProblem[] };

/** The folder of the shipped profiles. */
export const SHIPPED_FOLDER: string = shippedFolder();

/** The names of all shipped profiles, sorted. */
export function shippedNames(): string[] {
  const files = readdirSync(SHIPPED_FOLDER).filter((name) => name.endsWith('.yaml'));
  return [...files.map((name) => name.slice(0, -'.yaml'.length)), ...CODEC_NAMES].toSorted();
}

/** Whether it is a path rather than a name. */
export function isProfilePath(wanted: string): boolean {
  return wanted.includes('/') || wanted.includes('\\') || /\.ya?ml$/.test(wanted);
}

/**
 * The profile that `wanted` names.
 * @param folder what relative paths begin at
 * @param registers of a Modbus device, for the profiles modbus_rtu and modbus_tcp
 */
export function findProfile(
  wanted: string,
  folder: string,
  registers?: Readonly<Record<string, unknown>>,
): FoundProfile {
  if (!isProfilePath(wanted)) {
    const codec = profileCodec(wanted);
    if (codec !== undefined) return { ok: true, profile: codec, file: undefined, fingerprint: wanted };
    const file = join(SHIPPED_FOLDER, `${wanted}.yaml`);
    if (!NAME.test(wanted) || !existsSync(file)) {
      const message =
        'is not the name of a shipped profile, which "bytes2mqtt profiles" lists; a file of your own needs its path, e.g. ./my_meter.yaml';
      return { ok: false, code: 'not-found', message };
    }
    return readProfile(file, wanted, `${wanted}.yaml`, registers);
  }
  const file = resolve(folder, wanted);
  const name = basename(file).replace(/\.ya?ml$/, '');
  if (!NAME.test(name)) {
    const message = 'the name of the file must be 1 to 32 of a-z, 0-9 and _, and then .yaml';
    return { ok: false, code: 'not-found', message };
  }
  return readProfile(file, name, wanted, registers);
}

function readProfile(
  file: string,
  name: string,
  shown: string,
  registers: Readonly<Record<string, unknown>> | undefined,
): FoundProfile {
  let text: string;
  try {
    const bytes = readFileSync(file);
    if (bytes.length > MAX_FILE_BYTES) {
      return { ok: false, code: 'unreadable', message: 'is larger than 1 MiB: this is no profile' };
    }
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    if (reason === 'ENOENT' || reason === 'ENOTDIR') {
      const message =
        'must be the path of a file that exists; relative paths begin at the folder of the configuration file';
      return { ok: false, code: 'not-found', message };
    }
    const why =
      reason === 'ERR_ENCODING_INVALID_ENCODED_DATA'
        ? 'is not text in UTF-8'
        : `cannot be read (${reason ?? 'unknown reason'})`;
    return { ok: false, code: 'unreadable', message: why };
  }
  const loaded = loadProfile({ name, text, file: shown, ...(registers !== undefined && { registers }) });
  return loaded.ok
    ? { ok: true, profile: loaded.profile, file, fingerprint: fingerprintOf(text, registers) }
    : { ok: false, code: 'invalid', problems: loaded.problems };
}

function fingerprintOf(text: string, registers: Readonly<Record<string, unknown>> = {}): string {
  return createHash('sha256')
    .update(JSON.stringify([text, registers]))
    .digest('hex');
}

/** Beside the sources, or in the package that the built program belongs to. */
function shippedFolder(): string {
  const here = import.meta.dirname;
  for (const up of ['../..', '../../..']) {
    const folder = join(here, up, 'protocol/profiles');
    if (existsSync(join(folder, 'modbus_rtu.yaml'))) return folder;
  }
  return join(dirname(here), 'profiles');
}
