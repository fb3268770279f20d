/** The devices with a profile of each source: profiles are loaded here, so that what is wrong with one is told with its line. */
import { isIP } from 'node:net';
import { formatProfileProblem, printable, type Profile } from '../../protocol/index.ts';
import { findProfile, type FoundProfile } from '../profiles/load.ts';
import type { ProfileDeviceUse, ProfileUse } from '../profiles/profile-use.ts';
import { parseAddress } from './address.ts';
import type { Path } from './keys.ts';
import { type LineSettings, lineText } from './line-settings.ts';
import type { Finding } from './problem.ts';
import { type FileConfig, type FileSource, SOURCE_KINDS, SOURCE_SCHEMAS } from './schema.ts';

/** What an entry of `sources`, or of its `devices`, says of one device. */
type FileDevice = Pick<FileSource, (typeof DEVICE_KEYS)[number]>;

const DEVICE_KEYS = ['profile', 'device', 'parameters', 'registers', 'every_s', 'timeout_s'] as const;
/** What makes sense with a profile only. */
const PROFILE_KEYS = [...DEVICE_KEYS, 'devices', 'names', 'only_named', 'peer'] as const;

/** The keys of a serial line and what they are called from there on. */
const SETTING_KEYS = [
  ['baud', 'baud'],
  ['data_bits', 'dataBits'],
  ['parity', 'parity'],
  ['stop_bits', 'stopBits'],
] as const;

/** What goes wrong with one profile is told at most so often: the rest follows from it. */
const MAX_PROBLEMS = 10;

export class ProfileBuilder {
  readonly #folder: string;
  readonly #problems: Finding[];
  readonly #warnings: Finding[];
  /** Whose each alias is. */
  readonly #aliases = new Map<string, string>();

  constructor(file: Pick<FileConfig, 'devices'>, folder: string, problems: Finding[], warnings: Finding[]) {
    this.#folder = folder;
    this.#problems = problems;
    this.#warnings = warnings;
    for (const [id, { alias }] of Object.entries(file.devices)) this.#aliases.set(alias ?? id, `device ${id}`);
  }

  /** What a source says of the devices on it; undefined when it has no profile. */
  build(source: FileSource, index: number): ProfileUse | undefined {
    const path = ['sources', index];
    const isUdp = 'udp' in source;
    const { profile, devices: several, service } = source;
    if (profile === undefined && several === undefined) {
      for (const key of PROFILE_KEYS) {
        if (!(key in source) || (source as Record<string, unknown>)[key] === undefined) continue;
        this.#conflict(
          [...path, key],
          'has no effect without a profile; write "profile: NAME", or remove this key',
          true,
        );
      }
      return undefined;
    }
    if (service !== undefined)
      this.#conflict([...path, 'service'], 'a source has either a service or a profile; remove one of them');
    if (profile !== undefined && several !== undefined) {
      this.#conflict(
        [...path, 'devices'],
        'a source has either "profile" for one device, or "devices" for several',
        true,
      );
      return undefined;
    }
    const peer = 'peer' in source ? this.#peer(source.peer, [...path, 'peer']) : undefined;
    const given = several?.map((device, at) => this.#device(device, [...path, 'devices', at])) ?? [
      this.#device(source, path),
    ];
    const devices = given.filter((device) => device !== undefined);
    if (devices.length === 0) return undefined;
    if (isUdp && peer === undefined) this.#checkDatagrams(devices, path);
    if (several !== undefined) {
      for (const key of DEVICE_KEYS) {
        if (source[key] !== undefined) this.#conflict([...path, key], 'belongs to each entry of "devices" here', true);
      }
    }
    return { devices, names: this.#names(source, path), onlyNamed: source.only_named ?? false, peer };
  }

  #device(given: FileDevice, path: Path): ProfileDeviceUse | undefined {
    const { profile: wanted, parameters = {}, registers } = given;
    if (wanted === undefined) {
      this.#problems.push({ code: 'CONFIG_INVALID', path, message: 'each device needs "profile: NAME"', found: false });
      return undefined;
    }
    const found = findProfile(wanted, this.#folder, registers);
    if (!found.ok) {
      this.#tell(found, path);
      return undefined;
    }
    const { profile } = found;
    if (saysNothing(profile)) {
      this.#problems.push({
        code: 'CONFIG_INVALID',
        path: [...path, 'profile'],
        message: 'no registers: nothing will be asked; list what is to be read below "registers"',
      });
    }
    for (const { name, message } of profile.checkParameters(parameters).slice(0, MAX_PROBLEMS)) {
      const known = Object.hasOwn(parameters, name);
      const place = known ? [...path, 'parameters', name] : [...path, 'profile'];
      this.#problems.push({
        code: 'CONFIG_INVALID',
        path: place,
        message: known ? message : `parameters.${printable(name, 32)} ${message}`,
      });
    }
    const alias = this.#alias(
      given.device ?? profile.name,
      given.device === undefined ? [...path, 'profile'] : [...path, 'device'],
    );
    return {
      profile,
      fingerprint: found.fingerprint,
      alias,
      parameters,
      everyMs: milliseconds(given.every_s),
      timeoutMs: milliseconds(given.timeout_s),
    };
  }

  #tell(found: Extract<FoundProfile, { readonly ok: false }>, path: Path): void {
    const place = [...path, 'profile'];
    if (found.code !== 'invalid') {
      const code = found.code === 'not-found' ? 'CONFIG_INVALID' : 'FILE_UNREADABLE';
      this.#problems.push({ code, path: place, message: found.message });
      return;
    }
    for (const problem of found.problems.slice(0, MAX_PROBLEMS)) {
      // What is written in this file has its own line.
      if (problem.origin === 'registers') {
        this.#problems.push({
          code: 'CONFIG_INVALID',
          path: [...path, 'registers', ...problem.keys],
          message: problem.message,
        });
      } else {
        this.#problems.push({
          code: 'CONFIG_INVALID',
          path: place,
          message: formatProfileProblem(problem),
          found: false,
        });
      }
    }
  }

  #alias(alias: string, path: Path): string {
    const other = this.#aliases.get(alias);
    if (alias === 'bridge') {
      this.#conflict(path, '"bridge" is the name of the gateway itself in topics; choose another');
    } else if (other !== undefined) {
      this.#conflict(path, `"${alias}" is already the name of ${other}; give one of them another with "device: NAME"`);
    }
    this.#aliases.set(alias, 'another device');
    return alias;
  }

  #names(source: FileSource, path: Path): Map<string, string> {
    const names = new Map<string, string>();
    for (const [identity, alias] of Object.entries(source.names ?? {})) {
      names.set(identity, this.#alias(alias, [...path, 'names', identity]));
    }
    if (source.only_named === true && names.size === 0) {
      this.#conflict([...path, 'only_named'], 'lets nobody in as long as there is nobody in "names"');
    }
    return names;
  }

  #peer(text: string | undefined, path: Path): ProfileUse['peer'] {
    if (text === undefined) return undefined;
    const parsed = parseAddress(text);
    if (!parsed.ok) return undefined;
    if (isIP(parsed.address.host) !== 0) return parsed.address;
    this.#problems.push({
      code: 'CONFIG_INVALID',
      path,
      message: 'must be an IP address and a port, e.g. 192.168.1.50:502',
    });
    return undefined;
  }

  /** Without a peer nobody can be asked. */
  #checkDatagrams(devices: readonly ProfileDeviceUse[], path: Path): void {
    if (devices.length > 1) {
      this.#conflict(
        [...path, 'devices'],
        'datagrams do not say which of several profiles they are of; write a source for each, or "peer: HOST:PORT"',
        true,
      );
    }
    const [{ profile, parameters }] = devices as [ProfileDeviceUse];
    if (profile.checkParameters(parameters).length > 0) return;
    const { polls, init } = profile.open(parameters);
    if (polls.length + init.length === 0) return;
    const message = 'this device has to be asked: tell where it is with "peer: HOST:PORT"';
    this.#problems.push({ code: 'CONFIG_INVALID', path: [...path, 'profile'], message });
  }

  #conflict(path: Path, message: string, atKey = false): void {
    this.#problems.push({ code: 'CONFIG_CONFLICT', path, message, atKey });
  }

  /** The settings of a serial line: what is written, else what the profiles say, else 115,200 8N1. */
  lineSettings(
    source: Extract<FileSource, { serial: string }>,
    use: ProfileUse | undefined,
    index: number,
  ): LineSettings {
    const profiles = use?.devices.map(({ profile }) => profile) ?? [];
    const wanted = profiles.map(({ about }) => about.serial).find((serial) => serial !== undefined);
    const settings = {
      baud: source.baud ?? wanted?.baud ?? 115_200,
      dataBits: source.data_bits ?? wanted?.dataBits ?? 8,
      parity: source.parity ?? wanted?.parity ?? 'none',
      stopBits: source.stop_bits ?? wanted?.stopBits ?? 1,
    };
    this.#checkAgreement(source, profiles, settings, index);
    return settings;
  }

  /** What the file does not say is taken from the first profile, which may not suit the others. */
  #checkAgreement(
    source: Extract<FileSource, { serial: string }>,
    profiles: readonly Profile[],
    taken: LineSettings,
    index: number,
  ): void {
    for (const { about } of profiles) {
      const { serial } = about;
      if (serial === undefined) continue;
      const keys = SETTING_KEYS.filter(([key, name]) => source[key] === undefined && serial[name] !== taken[name]);
      if (keys.length === 0) continue;
      const [own, other] = [lineText(taken), lineText(serial)];
      const missing = keys.map(([key]) => `"${key}"`).join(' and ');
      const message = `the profiles on this line want different settings (${own} and ${other}): write ${missing}; ${own} is taken`;
      this.#warnings.push({ code: 'CONFIG_CONFLICT', path: ['sources', index, 'serial'], message, found: false });
      return;
    }
  }
}

/**
 * What is wrong with the profiles of a file that is wrong somewhere else: of each source that is right by itself.
 * @param value the file, which the schema has refused
 */
export function profileFindings(value: unknown, folder: string): Finding[] {
  const sources = (value as { sources?: unknown } | null)?.sources;
  if (!Array.isArray(sources)) return [];
  const problems: Finding[] = [];
  const builder = new ProfileBuilder({ devices: {} }, folder, problems, []);
  for (const [index, entry] of sources.entries() as Iterable<[number, unknown]>) {
    if (typeof entry !== 'object' || entry === null) continue;
    const kind = SOURCE_KINDS.find((name) => Object.hasOwn(entry, name));
    const read = kind === undefined ? undefined : SOURCE_SCHEMAS[kind].safeParse(entry);
    if (read?.success === true) builder.build(read.data, index);
  }
  return problems;
}

/** Modbus without a register: there is nothing to ask, to read or to set. */
function saysNothing({ channels, commands, messages }: Profile): boolean {
  return channels.length + commands.length + messages.length === 0;
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1_000);
}
