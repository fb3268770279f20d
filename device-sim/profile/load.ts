/** Finds the profile that a name or a path means: shipped with the project as a file or as a codec, or the user's own file. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CODEC_NAMES, type Profile, formatProfileProblem, loadProfile, profileCodec } from '../../protocol/index.ts';

/** Where the shipped files lie, seen from the source and from what was built. */
const FOLDER = ['../../protocol/profiles/', '../../../protocol/profiles/']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((folder) => existsSync(`${folder}modbus_rtu.yaml`));

/** Registers of a generic Modbus device, as the configuration of the gateway lists them. */
export type Registers = Readonly<Record<string, unknown>>;

export type Found = { readonly ok: true; readonly profile: Profile } | { readonly ok: false; readonly message: string };

/**
 * `pms5003`, or a path such as `./my_sensor.yaml`. `registers` are for the profiles modbus_rtu and modbus_tcp. What is
 * wrong is told in lines for people.
 */
export function findProfile(nameOrFile: string, registers?: Registers): Found {
  if (!/[./\\]/.test(nameOrFile)) {
    const codec = profileCodec(nameOrFile);
    if (codec !== undefined) return { ok: true, profile: codec };
    const file = shippedFile(nameOrFile);
    if (file !== undefined) return read(file, nameOrFile, registers);
    return { ok: false, message: `there is no profile "${nameOrFile}"; there are ${shippedNames().join(', ')}` };
  }
  const name = basename(nameOrFile)
    .replace(/\.ya?ml$/i, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 32);
  return read(nameOrFile, name === '' ? 'profile' : name, registers);
}

/** All shipped profiles, by name. */
export function shippedNames(): string[] {
  const files = FOLDER === undefined ? [] : readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'));
  return [...files.map((file) => file.slice(0, -'.yaml'.length)), ...CODEC_NAMES].toSorted();
}

function shippedFile(name: string): string | undefined {
  const file = FOLDER === undefined ? undefined : `${FOLDER}${name}.yaml`;
  return file !== undefined && existsSync(file) ? file : undefined;
}

function read(file: string, name: string, registers: Registers | undefined): Found {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { ok: false, message: `${file}: ${String((error as NodeJS.ErrnoException).code)}` };
  }
  const loaded = loadProfile({ name, text, file, ...(registers !== undefined && { registers }) });
  if (loaded.ok) return loaded;
  return { ok: false, message: loaded.problems.slice(0, 10).map(formatProfileProblem).join('\n') };
}
