/** What the schema let through becomes the `Config` of the gateway; here is what a schema cannot say. */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatAddress, overlaps, parseAddress } from './address.ts';
import { buildDiscovery, buildHttp } from './build-home.ts';
import type { Address } from './address.ts';
import { buildDevices } from './build-devices.ts';
import { ProfileBuilder } from './build-profiles.ts';
import type { Environment } from './env.ts';
import type { Path } from './keys.ts';
import type { Finding } from './problem.ts';
import { formatPath } from './keys.ts';
import { plainFindings, reachableFromOutside } from './plain.ts';
import type { UnusedKeys } from './unused-keys.ts';
import type { Config, FileConfig, FileSource, JournalConfig, MqttConfig, SourceConfig, TlsConfig } from './schema.ts';

export interface Built {
  readonly config: Config;
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/**
 * @param folder what relative paths in the file begin at
 * @param unused keys that are there and are asked for by nobody
 */
export function buildConfig(file: FileConfig, folder: string, env: Environment, unused: UnusedKeys): Built {
  const problems: Finding[] = [];
  const warnings: Finding[] = [];
  const config: Config = {
    mqtt: buildMqtt(file.mqtt, folder, problems, warnings),
    sources: buildSources(file, folder, problems, warnings),
    devices: buildDevices(file.devices, problems, warnings),
    limits: {
      connections: file.limits.connections,
      connectionsPerAddress: file.limits.connections_per_address,
      connectionsUnauthenticated: file.limits.connections_unauthenticated,
      sessionsPerConnection: file.limits.sessions_per_connection,
      devices: file.limits.devices,
      handshakeMs: milliseconds(file.limits.handshake_s),
      frameMs: milliseconds(file.limits.frame_s),
      keepaliveS: file.limits.keepalive_s,
      window: file.limits.window,
      readBudget: file.limits.read_budget,
      throttleMs: milliseconds(file.limits.throttle_s),
      handshakesPerS: file.limits.handshakes_per_s,
      handshakesPerAddressPerS: file.limits.handshakes_per_address_per_s,
      framesPerS: file.limits.frames_per_s,
      bytesPerS: file.limits.bytes_per_s,
      logsPerS: file.limits.logs_per_s,
      answersPerS: file.limits.answers_per_s,
      outputBytes: file.limits.output_bytes,
      schemaBytes: file.limits.schema_bytes,
      channels: file.limits.channels,
      commandsPerS: file.limits.commands_per_s,
      commandsWaiting: file.limits.commands_waiting,
      commandsPerDevice: file.limits.commands_per_device,
      requestsPerS: file.limits.requests_per_s,
    },
    journal: buildJournal(file.journal, folder, env),
    delivery: { replayRate: file.delivery.replay_rate },
    log: file.log,
    http: buildHttp(file, problems),
    discovery: buildDiscovery(file, problems),
  };
  warnings.push(...plainFindings(file, config, unused));
  return { config, problems, warnings };
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}

const DATA_FOLDER = 'bytes2mqtt-data';

function buildJournal(journal: FileConfig['journal'], folder: string, env: Environment): JournalConfig {
  // systemd names the folders of StateDirectory= here, separated by colons.
  const [stateFolder = ''] = (env['STATE_DIRECTORY'] ?? '').split(':');
  return {
    durability: journal.durability,
    dir: resolve(folder, journal.dir ?? (stateFolder === '' ? DATA_FOLDER : stateFolder)),
    syncIntervalMs: journal.sync_interval_ms,
    maxBytes: journal.max_bytes,
    minFreeBytes: journal.min_free_bytes,
    holdMs: milliseconds(journal.hold_s),
    maxRecords: journal.max_records,
  };
}

// -------------------------------------------------------------------------------------------------------------- mqtt

function buildMqtt(mqtt: FileConfig['mqtt'], folder: string, problems: Finding[], warnings: Finding[]): MqttConfig {
  const invalid = (key: string, message: string, code: Finding['code'] = 'CONFIG_INVALID') =>
    problems.push({ code, path: ['mqtt', key], message });

  const tls = checkUrl(mqtt.url, (message) => invalid('url', message));
  for (const key of ['ca', 'cert', 'key'] as const) {
    const path = mqtt[key];
    if (path === undefined) continue;
    const fault = unreadable(resolve(folder, path));
    if (fault !== undefined) invalid(key, fault, 'FILE_UNREADABLE');
    if (tls === false) {
      warnings.push({
        code: 'CONFIG_CONFLICT',
        path: ['mqtt', key],
        message: 'has no effect without mqtts:// in mqtt.url',
      });
    }
  }
  if (mqtt.cert !== undefined && mqtt.key === undefined)
    invalid('cert', 'needs its private key in mqtt.key', 'CONFIG_CONFLICT');
  if (mqtt.key !== undefined && mqtt.cert === undefined)
    invalid('key', 'needs its certificate in mqtt.cert', 'CONFIG_CONFLICT');
  if (mqtt.password !== undefined && mqtt.username === undefined) {
    invalid('password', 'needs mqtt.username: MQTT 3.1.1 has no password without a user name', 'CONFIG_CONFLICT');
  }
  if (mqtt.url === undefined && (mqtt.username !== undefined || mqtt.password !== undefined)) {
    const message = 'has no effect without mqtt.url: the embedded broker asks for no user';
    warnings.push({ code: 'CONFIG_CONFLICT', path: ['mqtt', 'username'], message });
  }

  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(folder, path));
  return {
    url: mqtt.url,
    base: mqtt.base,
    username: mqtt.username,
    password: mqtt.password,
    ca: absolute(mqtt.ca),
    cert: absolute(mqtt.cert),
    key: absolute(mqtt.key),
    verify: mqtt.verify,
    clientId: mqtt.client_id,
    qos: mqtt.qos,
    keepaliveS: mqtt.keepalive_s,
  };
}

/** Whether it is TLS; undefined when that cannot be told. */
function checkUrl(text: string | undefined, invalid: (message: string) => void): boolean | undefined {
  if (text === undefined) return false;
  const example = 'for example mqtt://192.168.1.10:1883';
  if (!/^[a-z0-9+.-]+:\/\//i.test(text)) {
    invalid(`must begin with mqtt:// or mqtts://, ${example}`);
    return undefined;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '' || url.port === '0') {
    invalid(`is not an address of a broker; write mqtt://HOST:PORT, ${example}`);
    return undefined;
  }
  if (url.protocol !== 'mqtt:' && url.protocol !== 'mqtts:') {
    invalid(`must begin with mqtt:// or mqtts://, ${example}; other protocols are not supported`);
    return undefined;
  }
  if (url.username !== '' || url.password !== '') {
    invalid('must be without user and password: write them as mqtt.username and mqtt.password');
  } else if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    invalid(`must end after the port, ${example}`);
  }
  return url.protocol === 'mqtts:';
}

function unreadable(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile() ? undefined : 'must be the path of a file, and this is something else';
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    if (reason === 'EACCES') return 'the file may not be read by this user; change its permissions';
    return 'must be the path of a file that exists; relative paths begin at the folder of the configuration file';
  }
}

// ----------------------------------------------------------------------------------------------------------- sources

/** sockaddr_un has 108 bytes on Linux, one of them for the zero at the end. */
const MAX_SOCKET_PATH_BYTES = 107;

/** The keys of `tls` and what they are called from there on. */
const TLS_FILES = [
  ['cert', 'cert'],
  ['key', 'key'],
  ['client_ca', 'clientCa'],
] as const;

/** Device files have absolute paths, serial ports of Windows are COM1 and so on. */
const SERIAL_PATH = /^(\/|COM\d+$|\\\\\.\\)/i;

function buildSources(file: FileConfig, folder: string, problems: Finding[], warnings: Finding[]): SourceConfig[] {
  const { sources, limits } = file;
  const profiles = new ProfileBuilder(file, folder, problems, warnings);
  const built = sources.map((source, index) => buildSource(source, index, limits, folder, profiles));
  for (const [index, source] of built.entries()) {
    if (source.kind === 'tcp' && source.tls !== undefined) {
      for (const [key, file] of TLS_FILES) {
        const path = source.tls.files[file];
        const fault = path === undefined ? undefined : unreadable(path);
        if (fault === undefined) continue;
        problems.push({ code: 'FILE_UNREADABLE', path: ['sources', index, 'tls', key], message: fault });
      }
    }
    if (source.kind === 'unix' && Buffer.byteLength(source.path) > MAX_SOCKET_PATH_BYTES) {
      const message = `is longer than ${MAX_SOCKET_PATH_BYTES} bytes as an absolute path, which no system takes`;
      problems.push({ code: 'CONFIG_INVALID', path: ['sources', index, 'unix'], message });
    }
    if (source.kind === 'serial' && !SERIAL_PATH.test(source.path)) {
      const message = `is no full path; serial devices are below /dev, e.g. /dev/ttyUSB0: see "bytes2mqtt ports"`;
      warnings.push({ code: 'CONFIG_INVALID', path: ['sources', index, 'serial'], message });
    }
    for (let other = 0; other < index; other++) {
      const clash = built[other];
      if (clash === undefined || !sameResource(source, clash)) continue;
      problems.push({
        code: 'CONFIG_CONFLICT',
        path: ['sources', index, source.kind],
        message: `is already taken by sources[${other}].${clash.kind}; give one of them another port or path`,
      });
      break;
    }
  }
  return nameSources(sources, built, problems);
}

type Unnamed = {
  [K in SourceConfig['kind']]: Omit<Extract<SourceConfig, { kind: K }>, 'id' | 'plain'>;
}[SourceConfig['kind']];

function buildSource(
  source: FileSource,
  index: number,
  limits: FileConfig['limits'],
  folder: string,
  profiles: ProfileBuilder,
): Unnamed {
  const { service } = source;
  const profile = profiles.build(source, index);
  if ('tcp' in source) {
    const tls = source.tls === undefined ? undefined : buildTls(source.tls, limits, folder);
    return { kind: 'tcp', service, profile, ...addressOf(source.tcp), backlog: source.backlog, tls };
  }
  if ('udp' in source) {
    return { kind: 'udp', service, profile, ...addressOf(source.udp), receiveBuffer: source.receive_buffer };
  }
  if ('unix' in source) {
    const mode = source.mode === undefined ? undefined : Number.parseInt(source.mode, 8);
    return { kind: 'unix', service, profile, path: resolve(folder, source.unix), mode };
  }
  if ('connect' in source) return { kind: 'connect', service, profile, ...addressOf(source.connect) };
  return {
    kind: 'serial',
    service,
    profile,
    path: source.serial,
    ...profiles.lineSettings(source, profile, index),
    rtscts: source.rtscts,
    silenceMs: source.silence_s === undefined ? undefined : milliseconds(source.silence_s),
  };
}

function buildTls(
  { cert, key, client_ca: clientCa }: { cert: string; key: string; client_ca?: string | undefined },
  limits: FileConfig['limits'],
  folder: string,
): TlsConfig {
  return {
    files: {
      cert: resolve(folder, cert),
      key: resolve(folder, key),
      clientCa: clientCa === undefined ? undefined : resolve(folder, clientCa),
    },
    handshakeMs: milliseconds(limits.handshake_s),
    // Nobody has shown who it is before the handshake is over.
    maxHandshakes: limits.connections_unauthenticated,
  };
}

function addressOf(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new TypeError('an address that the schema let through must parse');
  return parsed.address;
}

function sameResource(a: Unnamed, b: Unnamed): boolean {
  if (a.kind === 'tcp' || a.kind === 'udp') return b.kind === a.kind && overlaps(a, b);
  if (a.kind === 'unix' || a.kind === 'serial') return b.kind === a.kind && a.path === b.path;
  return false;
}

function nameSources(sources: readonly FileSource[], built: readonly Unnamed[], problems: Finding[]): SourceConfig[] {
  const taken = new Map<string, Path>();
  for (const [index, source] of sources.entries()) {
    if (source.name === undefined) continue;
    const path = ['sources', index, 'name'];
    const first = taken.get(source.name);
    if (first === undefined) taken.set(source.name, path);
    else
      problems.push({
        code: 'CONFIG_CONFLICT',
        path,
        message: `is already the name of ${formatPath(first.slice(0, 2))}`,
      });
  }
  return built.map((source, index) => {
    const { name, plain = !reachableFromOutside(source) } = sources[index] ?? {};
    return { ...source, plain, id: name ?? freeName(nameOf(source), taken) };
  });
}

function nameOf(source: Unnamed): string {
  return 'path' in source ? `${source.kind}:${source.path}` : `${source.kind}:${formatAddress(source)}`;
}

/** Two listeners on port 0, or two connections to one address, are different sources. */
function freeName(wanted: string, taken: Map<string, Path>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number++) name = `${wanted}#${number}`;
  taken.set(name, []);
  return name;
}
