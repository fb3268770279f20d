/** The options of `device-sim run` for devices with a profile; they stand beside those of the fleet. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { parse as parseYaml } from 'yaml';
import { parseListen } from '../arguments.ts';
import type { FaultRates } from '../faults.ts';
import type { RunOutput } from '../run.ts';
import { type Registers, findProfile } from './load.ts';
import { PlayedDevice } from './played-device.ts';
import { type PlaySummary, type ProfileLink, play } from './run.ts';
import type { FieldValue } from './values.ts';

/** A device as the command line gives it. */
export interface DeviceArguments {
  readonly profile: string;
  readonly parameters: Record<string, string>;
  readonly values: Record<string, FieldValue>;
  readonly messages: string[];
  /** For modbus_rtu and modbus_tcp. */
  registers: Registers | undefined;
}

/** What commander hands over of these options and of those that the fleet has as well. */
export interface PlayArguments {
  readonly profile?: readonly DeviceArguments[];
  readonly listen?: { readonly host: string; readonly port: number };
  readonly tcp?: readonly { readonly host: string; readonly port: number }[];
  readonly udp?: readonly { readonly host: string; readonly port: number }[];
  readonly serial?: readonly string[];
  readonly baud: number;
  readonly rate: number;
  readonly for?: number;
  readonly count?: number;
  readonly fault?: FaultRates;
  readonly maxWait?: number;
  readonly json?: boolean;
}

export const PLAY_EXAMPLES = `
Devices that exist, by their profiles (--param, --value and --message are for the --profile before them):
  $ device-sim run --profile pms5003 --serial /dev/ttyUSB0
  $ device-sim run --profile jbd_bms --listen 127.0.0.1:8899 --value voltage=13.2
  $ device-sim run --profile sdm120 --param address=1 --profile sdm120 --param address=2 --serial /dev/ttyUSB0 --baud 9600
  $ device-sim run --profile teltonika --tcp localhost:5027 --json --count 10`;

/** Adds the options to `run`. */
export function addProfileOptions(command: Command): Command {
  const devices: DeviceArguments[] = [];
  const last = (option: string): DeviceArguments => {
    const device = devices.at(-1);
    if (device === undefined) throw new InvalidArgumentError(`${option} belongs to a --profile before it.`);
    return device;
  };
  return command
    .option('--profile <name|file>', 'play a device with this profile; several share the line', (text: string) => {
      devices.push({ profile: text, parameters: {}, values: {}, messages: [], registers: undefined });
      return devices;
    })
    .option('--param <name=value>', 'a parameter of the profile, such as address=3', (text: string) => {
      const [name, value] = pair(text);
      last('--param').parameters[name] = value;
      return devices;
    })
    .option('--value <name=value>', 'a value that holds still, in shown units', (text: string) => {
      const [name, value] = pair(text);
      last('--value').values[name] = typed(value);
      return devices;
    })
    .option('--values <file>', 'such values from a YAML or JSON file', (file: string) => {
      Object.assign(last('--values').values, valuesIn(file));
      return devices;
    })
    .option(
      '--registers <file>',
      'registers of a modbus_rtu or modbus_tcp device, from a YAML file',
      (file: string) => {
        last('--registers').registers = mapIn(file);
        return devices;
      },
    )
    .option('--message <name>', 'a message it says by itself; default: those that answer nothing', (text: string) => {
      last('--message').messages.push(text);
      return devices;
    })
    .option('--listen <host:port>', 'be reached over TCP, as behind a serial-to-network bridge', parseListen);
}

/** Runs what the command line asks for; RangeError with a sentence for what does not fit together. */
export async function playArguments(
  given: PlayArguments,
  { seed, baudGiven }: { readonly seed: number; readonly baudGiven: boolean },
  output: RunOutput,
  stop: AbortSignal,
): Promise<PlaySummary> {
  const wanted = given.profile ?? [];
  const profiles = wanted.map(({ profile, registers }) => {
    const found = findProfile(profile, registers);
    if (!found.ok) throw new RangeError(found.message);
    return found.profile;
  });
  const baud = baudGiven ? given.baud : (profiles[0]?.about.serial?.baud ?? 9_600);
  const link = linkOf(given);
  return play(
    {
      link,
      devices: (random) =>
        wanted.map(({ parameters, values, messages }, index) => {
          const profile = profiles[index];
          if (profile === undefined) throw new RangeError('no profile');
          const label = wanted.length === 1 ? profile.name : `${profile.name}_${index + 1}`;
          return new PlayedDevice({
            label,
            profile,
            parameters,
            fixed: values,
            messages: messages.length > 0 ? messages : undefined,
            datagrams: link.kind === 'udp',
            random: random.fork(index),
          });
        }),
      ratePerS: given.rate,
      baud,
      forS: given.for,
      count: given.count,
      seed,
      faults: given.fault ?? {},
      maxWaitS: given.maxWait ?? 5,
      json: given.json === true,
    },
    output,
    stop,
  );
}

function linkOf({ tcp = [], udp = [], serial = [], listen }: PlayArguments): ProfileLink {
  const links: ProfileLink[] = [
    ...tcp.map(({ host, port }) => ({ kind: 'tcp', host, port }) as const),
    ...udp.map(({ host, port }) => ({ kind: 'udp', host, port }) as const),
    ...serial.map((path) => ({ kind: 'serial', path }) as const),
    ...(listen === undefined ? [] : [{ kind: 'listen', ...listen } as const]),
  ];
  const [link] = links;
  if (link === undefined || links.length > 1) {
    throw new RangeError('devices with a profile need one line: --serial, --tcp, --udp or --listen');
  }
  return link;
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Expected NAME=VALUE.');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A number or a truth value where it looks like one. */
function typed(text: string): FieldValue {
  if (text === 'true' || text === 'on') return true;
  if (text === 'false' || text === 'off') return false;
  if (/^[+-]?\d{16,}$/.test(text)) return BigInt(text);
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? text : number;
}

function valuesIn(file: string): Record<string, FieldValue> {
  const values: Record<string, FieldValue> = {};
  for (const [name, value] of Object.entries(mapIn(file))) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') values[name] = value;
  }
  return values;
}

/** The keys and values of a YAML or JSON file. */
function mapIn(file: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content))
    return content as Record<string, unknown>;
  throw new InvalidArgumentError(`${file} must have lines of name: value.`);
}
