/**
 * `bytes2mqtt key new`: a key for a device, into secrets.yaml beside the configuration.
 *
 * The key is shown only when that is asked for: what stands on a screen also stands in the scrollback of a terminal.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { printable } from '../../protocol/index.ts';
import { newDeviceKey } from '../config/device-key.ts';
import { DEFAULT_FILE } from '../config/load.ts';
import { ALIAS, DEVICE_ID } from '../config/schema.ts';
import { addSecret, type AddedSecret } from '../config/secrets-file.ts';
import { SECRETS_FILE } from '../config/secrets.ts';
import { parseYaml } from '../config/yaml-file.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { paintFor, printError, printOut } from './terminal.ts';

export interface NewKeyOptions {
  readonly config?: string | undefined;
  /** Show the key, as the simulator and a C compiler take it. */
  readonly print?: boolean;
  readonly force?: boolean;
}

interface NamedDevice {
  readonly id: string;
  readonly alias: string | undefined;
}

/** `wanted`: a device id, or an alias of the configuration. */
export function newKey(wanted: string, options: NewKeyOptions): ExitCode {
  const file = options.config ?? DEFAULT_FILE;
  const devices = devicesOf(file, options.config !== undefined);
  if (typeof devices === 'string') {
    printError(`error: ${devices}`);
    return EXIT.usage;
  }
  const device = findDevice(wanted, devices);
  if (device === undefined) {
    const aliases = devices.flatMap(({ alias }) => alias ?? []);
    const known = aliases.length === 0 ? '' : `; aliases are ${aliases.join(', ')}`;
    printError(`error: "${printable(wanted, 40)}" is neither a device id of 16 hex digits nor an alias${known}`);
    return EXIT.usage;
  }

  const name = device.alias ?? device.id;
  const path = join(dirname(file), SECRETS_FILE);
  const shown = printable(path);
  const key = newDeviceKey();
  const added = addSecret(path, name, key, options.force === true);
  if (!added.ok) {
    printError(`error: ${explain(added, shown, name)}`);
    return EXIT.failed;
  }
  if (added.readableByOthers) {
    const { yellow } = paintFor(process.stderr);
    printError(`${yellow('warning')}: others than its owner may read or write ${shown}: chmod 600 ${shown}`);
  }
  tell(device, name, shown, printable(file), options.print === true ? key : undefined);
  return EXIT.ok;
}

/**
 * The devices that the file names, or what is wrong with it. The file need not be right as a whole: it may name the very
 * secret that is still to be made.
 */
function devicesOf(file: string, mustExist: boolean): readonly NamedDevice[] | string {
  let text = '';
  try {
    text = readFileSync(resolve(file), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !mustExist) return [];
    return code === 'ENOENT' ? `${printable(file)} does not exist` : `${printable(file)} cannot be read (${code})`;
  }
  const parsed = parseYaml(text);
  if (!parsed.ok) {
    const [fault] = parsed.faults;
    return `${printable(file)}:${fault?.line}:${fault?.column}: ${fault?.message}`;
  }
  const devices: unknown = (parsed.value as { devices?: unknown } | null)?.devices;
  return Object.entries(devices ?? {}).flatMap(([id, value]: [string, unknown]) => {
    const alias: unknown = (value as { alias?: unknown } | null)?.alias;
    const isAlias = typeof alias === 'string' && ALIAS.test(alias);
    return DEVICE_ID.test(id) ? [{ id: id.toLowerCase(), alias: isAlias ? alias : undefined }] : [];
  });
}

function findDevice(wanted: string, devices: readonly NamedDevice[]): NamedDevice | undefined {
  const id = wanted.toLowerCase();
  const known = devices.find((device) => device.id === id || device.alias === wanted);
  return known ?? (DEVICE_ID.test(wanted) ? { id, alias: undefined } : undefined);
}

function explain(failure: Exclude<AddedSecret, { ok: true }>, path: string, name: string): string {
  if ('message' in failure) return `${path}:${failure.line}: ${failure.message}`;
  switch (failure.reason) {
    case 'exists':
      return `${path} has a secret "${name}", which was left as it is; --force puts a new key in its place`;
    case 'ENOENT':
      return `the folder of ${path} does not exist; create it first`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${path} may not be written by this user`;
    default:
      return `${path} could not be written (${failure.reason})`;
  }
}

function tell({ id, alias }: NamedDevice, name: string, secrets: string, file: string, key: string | undefined): void {
  const entry = `{ ${alias === undefined ? '' : `alias: ${alias}, `}key: !secret ${name} }`;
  printOut(`${secrets} has a new key under the name ${name}. In ${file}, the device needs it, too:`);
  printOut(`\ndevices:\n  ${id}: ${entry}\n`);
  if (key === undefined) {
    printOut('The same key belongs into the device: look into that file, or let --print show it when you make it.');
    return;
  }
  printOut('The same key belongs into the device. For the simulator:');
  printOut(`\nDEVICE_SIM_KEY=${key} device-sim run --id ${id} --tcp HOST:PORT\n`);
  printOut('For firmware in C:');
  printOut(`\n${cArray(key)}\n`);
  printOut('It is a secret: who has it can be this device. Clear the screen when you have copied it.');
}

function cArray(key: string): string {
  const bytes = Array.from(Buffer.from(key, 'hex'), (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
  const lines = [0, 8, 16, 24].map((from) => `  ${bytes.slice(from, from + 8).join(', ')},`);
  return `static const uint8_t DEVICE_KEY[32] = {\n${lines.join('\n')}\n};`;
}
