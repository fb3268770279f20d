/**
 * The configuration: every key as its user writes it, in one place.
 *
 * ```
 *   bytes2mqtt.yaml ─┐
 *   environment     ─┼─→ fileSchema (zod) ─→ FileConfig ─→ build.ts ─→ Config ─→ the gateway
 *   secrets.yaml    ─┘        └─→ JSON Schema, docs/configuration.md, names of environment variables
 * ```
 *
 * In the file keys are snake_case and durations are seconds (`_s`); in `Config` they are camelCase with the unit in
 * the name, addresses are parsed and paths absolute: nothing in it can be wrong any more.
 */
import { z } from 'zod';
import { JOURNAL_DEFAULTS } from '../journal/journal-defaults.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../log.ts';
import type { LogFormat, LogLevel } from '../log.ts';
import { SERVICES, type ServiceName } from '../sessions/services/service-names.ts';
import type { ProfileUse } from '../profiles/profile-use.ts';
import { parseAddress } from './address.ts';

export const SOURCE_KINDS = ['tcp', 'udp', 'unix', 'serial', 'connect'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

export const DURABILITIES = ['power', 'process', 'memory'] as const;
/** What an acknowledged reading survives: a power cut, the death of the process only, or neither. */
export type Durability = (typeof DURABILITIES)[number];

export const PARITIES = ['none', 'even', 'odd'] as const;
export type Parity = (typeof PARITIES)[number];

// ------------------------------------------------------------------------------------------- what the gateway takes

export interface Config {
  readonly mqtt: MqttConfig;
  /** In the order of the file. Never empty. */
  readonly sources: readonly SourceConfig[];
  /** By device id, 16 lowercase hex digits. */
  readonly devices: ReadonlyMap<string, DeviceConfig>;
  readonly limits: LimitsConfig;
  readonly journal: JournalConfig;
  readonly delivery: DeliveryConfig;
  readonly log: LogConfig;
  /** Undefined: no HTTP at all. */
  readonly http: HttpConfig | undefined;
  /** Undefined: devices are not announced. */
  readonly discovery: DiscoveryConfig | undefined;
}

export interface HttpConfig {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Undefined: none is wanted; for the loopback address only. */
  readonly token: string | undefined;
  /** Names by which the page may be called, besides addresses and those of this machine. */
  readonly allowedHosts: readonly string[];
}

export interface DiscoveryConfig {
  /** First levels of the discovery topics, without a slash at either end. */
  readonly prefix: string;
  readonly statusTopic: string;
}

export interface MqttConfig {
  /** `mqtt://…` or `mqtts://…`, without user and password. Undefined: the embedded broker. */
  readonly url: string | undefined;
  /** First levels of every topic, without a slash at either end. */
  readonly base: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Absolute paths of PEM files. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Check the broker's certificate. */
  readonly verify: boolean;
  /** Undefined: one is made up. */
  readonly clientId: string | undefined;
  readonly qos: 0 | 1;
  readonly keepaliveS: number;
}

interface SourceBase {
  /** Its name in logs, counters and events: the `name`, or kind and address, e.g. `tcp:0.0.0.0:2883`. Unique. */
  readonly id: string;
  /** What to speak on it; with neither service nor profile: the link protocol. */
  readonly service: ServiceName | undefined;
  /** The devices on it that speak a protocol of their own. */
  readonly profile: ProfileUse | undefined;
  /** Whether devices without a key may speak the link protocol on it. */
  readonly plain: boolean;
}

export interface TcpSourceConfig extends SourceBase {
  readonly kind: 'tcp';
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly backlog: number;
  /** Undefined: plain TCP. */
  readonly tls: TlsConfig | undefined;
}

export interface TlsConfig {
  /** Absolute paths of PEM files. */
  readonly files: { readonly cert: string; readonly key: string; readonly clientCa: string | undefined };
  readonly handshakeMs: number;
  /** Handshakes at once. */
  readonly maxHandshakes: number;
}

export interface UdpSourceConfig extends SourceBase {
  readonly kind: 'udp';
  readonly host: string;
  readonly port: number;
  /** SO_RCVBUF in bytes; undefined: as the system has it. */
  readonly receiveBuffer: number | undefined;
}

export interface UnixSourceConfig extends SourceBase {
  readonly kind: 'unix';
  /** Absolute. */
  readonly path: string;
  /** Permission bits of the socket, e.g. 0o660; undefined: by the umask. */
  readonly mode: number | undefined;
}

export interface SerialSourceConfig extends SourceBase {
  readonly kind: 'serial';
  readonly path: string;
  readonly baud: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: Parity;
  readonly stopBits: 1 | 2;
  readonly rtscts: boolean;
  /** Nothing received for so long: the port is opened anew. Undefined: no watchdog. */
  readonly silenceMs: number | undefined;
}

export interface ConnectSourceConfig extends SourceBase {
  readonly kind: 'connect';
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

export type SourceConfig =
  | TcpSourceConfig
  | UdpSourceConfig
  | UnixSourceConfig
  | SerialSourceConfig
  | ConnectSourceConfig;

export interface DeviceConfig {
  /** `[a-z0-9_]{1,32}`, unique, not `bridge`. Undefined: the id is the alias. */
  readonly alias: string | undefined;
  /** 32 bytes. With one, the device is let in by it only. */
  readonly key: Uint8Array | undefined;
  /** Let in without a key everywhere. */
  readonly plain: boolean;
}

export interface LimitsConfig {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Connections that have no session yet. */
  readonly connectionsUnauthenticated: number;
  /** Devices behind one connection. */
  readonly sessionsPerConnection: number;
  /** Devices remembered at once. */
  readonly devices: number;
  readonly handshakeMs: number;
  readonly frameMs: number;
  /** Whole seconds, as WELCOME tells it to the device. */
  readonly keepaliveS: number;
  /** 1 to 32. */
  readonly window: number;
  /** Bytes read from one source in one turn. */
  readonly readBudget: number;
  /** How long a source may stay unread under backpressure. */
  readonly throttleMs: number;
  /** HELLOs and sealed REPORTs a second, in all and from one address. Of every rate ten seconds' worth may come at once. */
  readonly handshakesPerS: number;
  readonly handshakesPerAddressPerS: number;
  /** Of one device. */
  readonly framesPerS: number;
  readonly bytesPerS: number;
  /** LOG messages of one device that are passed on. */
  readonly logsPerS: number;
  /** Answers to datagrams of one address that belong to no session. */
  readonly answersPerS: number;
  /** Bytes held for a peer that does not read. */
  readonly outputBytes: number;
  /** Of one device's schema, in all parts; at most 4,096. */
  readonly schemaBytes: number;
  /** Of one device; at most 64. */
  readonly channels: number;
  /** Values for devices that are taken from MQTT, a second, and that may wait at once in all and for one device. */
  readonly commandsPerS: number;
  readonly commandsWaiting: number;
  readonly commandsPerDevice: number;
  /** `bridge/request/…` answered a second. */
  readonly requestsPerS: number;
}

export interface JournalConfig {
  readonly durability: Durability;
  /** Absolute. */
  readonly dir: string;
  readonly syncIntervalMs: number;
  readonly maxBytes: number;
  readonly minFreeBytes: number;
  readonly holdMs: number;
  /** Without a disk only. */
  readonly maxRecords: number;
}

export interface DeliveryConfig {
  /** Messages of the backlog a second. */
  readonly replayRate: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

// ------------------------------------------------------------------------------------------------ what the user writes

export const ALIAS = /^[a-z0-9_]{1,32}$/;
const TOPIC_BASE = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

/** Marks what may come from `!secret` and is never shown; JSON Schema has this word for it. */
const SECRET = { writeOnly: true } as const;

const text = (maximum = 1024) => z.string().min(1, 'must not be empty').max(maximum);
const seconds = (maximum: number) => z.number().min(0.1).max(maximum);
const rate = (byDefault: number, description: string) =>
  z.number().min(0.1).max(1_000_000_000).default(byDefault).describe(description);

/** The pattern is for editors; here `parseAddress` says more exactly what is wrong. */
function address(ports: 'any' | 'not 0', description: string) {
  const check = z.string().superRefine((value, context) => {
    const parsed = parseAddress(value);
    if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.message });
    else if (ports === 'not 0' && parsed.address.port === 0) {
      context.addIssue({ code: 'custom', message: 'the port must be a number from 1 to 65535' });
    }
  });
  return check.meta({ description, pattern: '^(\\[[^\\]]+\\]|[^:\\s]+):[0-9]{1,5}$' });
}

const listenAddress = address(
  'any',
  'HOST:PORT to listen on, e.g. 0.0.0.0:2883. Host 0.0.0.0 is every IPv4 address of this machine, "[::]:2883" (in quotes) IPv6 too; port 0 is any free port.',
);

const aliasText = z.string().regex(ALIAS, 'must be 1 to 32 of a-z, 0-9 and _');

/** What is said of one device with a profile: on the source, or on an entry of its `devices`. */
const profileKeys = {
  profile: text()
    .optional()
    .describe(
      'What the device here speaks: the name of a shipped profile (`bytes2mqtt profiles` lists them), or the path of a profile of your own, e.g. ./my_meter.yaml.',
    ),
  device: aliasText
    .optional()
    .describe(
      'Name of this device in topics; where its frames say who it is (trackers), that follows behind an underscore. Default: the name of the profile.',
    ),
  parameters: z
    .record(z.string(), z.union([z.number(), z.string(), z.boolean()]))
    .optional()
    .describe('Parameters of the profile, such as the address on a bus; `bytes2mqtt profiles NAME` lists them.'),
  registers: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('With the profiles modbus_rtu and modbus_tcp: the registers to read, by the name of their channel.'),
  every_s: seconds(86_400)
    .optional()
    .describe(
      'How often the device is asked; of one that is not asked, how often its readings are passed on. Default: as the profile says.',
    ),
  timeout_s: seconds(604_800)
    .optional()
    .describe('Silence after which the device counts as unavailable. Default: as the profile says.'),
} as const;

const sourceCommon = {
  name: z
    .string()
    .regex(ALIAS, 'must be 1 to 32 of a-z, 0-9 and _')
    .optional()
    .describe('Name of the source in logs, counters and events; unique. Default: kind and address.'),
  service: z
    .enum(SERVICES)
    .optional()
    .describe('A bring-up service to offer here instead of the link protocol, for the first program of a new device.'),
  plain: z
    .boolean()
    .optional()
    .describe(
      'Whether devices without a key are let in here, unauthenticated and unencrypted. Default: true where only this machine (a loopback address, a Unix socket), a serial line or the peer of `connect` gets in, else false. A device that has a key always needs it.',
    ),
  ...profileKeys,
  devices: z
    .array(z.strictObject(profileKeys))
    .min(1)
    .max(247)
    .optional()
    .describe('Several devices on one line (RS-485), instead of `profile`: they are asked in turn.'),
  names: z
    .record(z.string().min(1).max(64), aliasText)
    .optional()
    .describe('Names in topics of devices whose frames say who they are, by what they say, e.g. an IMEI in quotes.'),
  only_named: z.boolean().optional().describe('Take nothing from devices that are not in `names`.'),
};

const tls = z
  .strictObject({
    cert: text().describe('PEM file with the certificate of this listener, and the chain behind it if there is one.'),
    key: text().describe('PEM file with its private key, without a passphrase.'),
    client_ca: text()
      .optional()
      .describe(
        'PEM file with the certificates of CAs; only devices with a certificate that one of them has signed get in, and may then do without a key. Default: every device gets through TLS, and needs a key as it does without.',
      ),
  })
  .describe('TLS from version 1.2 on.');

const tcpSource = z
  .strictObject({
    tcp: listenAddress,
    backlog: z.int().min(1).max(65_535).default(511).describe('Connections that may wait to be accepted.'),
    tls: tls.optional(),
    ...sourceCommon,
  })
  .describe('A TCP listener.');

const udpSource = z
  .strictObject({
    udp: listenAddress,
    receive_buffer: z
      .int()
      .min(1024)
      .max(1_073_741_824)
      .optional()
      .describe(
        'Receive buffer in bytes. Linux caps it silently at net.core.rmem_max; its default holds about 256 small datagrams.',
      ),
    peer: address(
      'not 0',
      'IP:PORT of a device with a profile that has to be asked; only its datagrams are taken.',
    ).optional(),
    ...sourceCommon,
  })
  .describe('A UDP socket, for unicast and broadcast.');

const unixSource = z
  .strictObject({
    unix: text(100).describe('Path of a Unix-domain socket to listen on, at most about 100 characters.'),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, 'must be an octal file mode in quotes, for example "0660"')
      .optional()
      .describe('Permissions of the socket in octal and in quotes, e.g. "0660". Default: by the umask.'),
    ...sourceCommon,
  })
  .describe('A Unix-domain socket.');

const serialSource = z
  .strictObject({
    serial: text().describe(
      'Serial device, e.g. /dev/ttyUSB0, or better a name under /dev/serial/by-id, which stays when other devices are plugged in. `bytes2mqtt ports` lists them.',
    ),
    baud: z
      .int()
      .min(50)
      .max(4_000_000)
      .optional()
      .describe('Bits a second. Default: as the profile says, else 115200.'),
    data_bits: z
      .literal([5, 6, 7, 8])
      .optional()
      .describe('Data bits of a character. Default: as the profile says, else 8.'),
    parity: z.enum(PARITIES).optional().describe('Parity bit. Default: as the profile says, else none.'),
    stop_bits: z.literal([1, 2]).optional().describe('Stop bits of a character. Default: as the profile says, else 1.'),
    rtscts: z.boolean().default(false).describe('Hardware flow control over RTS and CTS.'),
    silence_s: seconds(86_400)
      .optional()
      .describe('Watchdog: when nothing was received for so long, the port is closed and opened anew. Default: none.'),
    ...sourceCommon,
  })
  .describe('A serial port.');

const connectSource = z
  .strictObject({
    connect: address('not 0', 'HOST:PORT to connect to, e.g. a serial-to-network bridge; tried again for ever.'),
    ...sourceCommon,
  })
  .describe('An outgoing TCP connection.');

/** One schema a kind, in the order of SOURCE_KINDS; the key that names the kind is required. */
export const SOURCE_SCHEMAS = {
  tcp: tcpSource,
  udp: udpSource,
  unix: unixSource,
  serial: serialSource,
  connect: connectSource,
} as const;

const mqtt = z.strictObject({
  url: text()
    .optional()
    .describe(
      'The broker: mqtt://HOST:PORT, or mqtts:// for TLS. Without it an embedded broker starts on the loopback address.',
    ),
  base: z
    .string()
    .max(64)
    .regex(TOPIC_BASE, 'must be topic levels of letters, digits, _ . and -, with no slash at either end')
    .default('bytes2mqtt')
    .describe('First level (or levels) of every topic.'),
  username: text()
    .optional()
    .meta({ description: 'User at the broker.', ...SECRET }),
  password: text(65_535)
    .optional()
    .meta({ description: 'Password at the broker; better as `!secret NAME`.', ...SECRET }),
  ca: text()
    .optional()
    .describe('PEM file with the certificates to trust, for mqtts://. Default: those of the system.'),
  cert: text().optional().describe('PEM file with the client certificate; needs `key`.'),
  key: text().optional().describe('PEM file with the private key of the client certificate; needs `cert`.'),
  verify: z.boolean().default(true).describe("Check the broker's certificate. Only turn it off to find an error."),
  client_id: text(65_535).optional().describe('MQTT client id. Default: one that is made up at each start.'),
  qos: z
    .literal([0, 1])
    .default(1)
    .describe('Quality of service of readings: 1 waits for the broker, 0 does not and may lose some.'),
  keepalive_s: z.int().min(5).max(65_535).default(30).describe('MQTT keepalive.'),
});

const device = z.strictObject({
  alias: z
    .string()
    .regex(ALIAS, 'must be 1 to 32 of a-z, 0-9 and _')
    .optional()
    .describe('Name of the device in topics; 1 to 32 of a-z, 0-9 and _, unique, not `bridge`. Default: the id.'),
  key: text(64)
    .optional()
    .meta({
      description:
        'The 32 bytes that the device and the gateway share, as 64 hex digits or base64; better as `!secret NAME`. `bytes2mqtt key new DEVICE` makes one. With a key, nothing is taken from the device that is not sealed with it.',
      ...SECRET,
    }),
  plain: z
    .boolean()
    .default(false)
    .describe('Let this device in without a key, also where `plain` of the source is false. Not together with `key`.'),
});

const limits = z.strictObject({
  connections: z.int().min(1).max(1_000_000).default(1024).describe('Connections at once, over all sources.'),
  connections_per_address: z.int().min(1).max(1_000_000).default(64).describe('Connections at once from one address.'),
  connections_unauthenticated: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(64)
    .describe(
      'Connections at once that have no session yet; for one more, the oldest of the address that has the most of them is closed.',
    ),
  sessions_per_connection: z
    .int()
    .min(1)
    .max(4096)
    .default(32)
    .describe('Devices behind one connection (a concentrator); for one more, the oldest session of it ends.'),
  devices: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(4096)
    .describe('Devices remembered at once; for a new one beyond that, the one offline the longest is forgotten.'),
  handshake_s: seconds(3600).default(5).describe('Time for a new connection to say HELLO.'),
  frame_s: seconds(3600).default(10).describe('Time for a frame that has begun to be complete.'),
  keepalive_s: z
    .int()
    .min(1)
    .max(65_535)
    .default(30)
    .describe('Devices are asked to say something this often; after 2.5 times as much silence the session ends.'),
  window: z.int().min(1).max(32).default(32).describe('Frames that a device may have unacknowledged.'),
  read_budget: z.int().min(256).max(1_048_576).default(4096).describe('Bytes read from one source in one turn.'),
  throttle_s: seconds(86_400)
    .default(60)
    .describe('How long a source may stay unread because the way to the broker is full, before it is closed.'),
  handshakes_per_s: rate(
    100,
    'Handshakes a second in all (HELLO, and a sealed REPORT): each may cost a key exchange. More are told to come back.',
  ),
  handshakes_per_address_per_s: rate(10, 'The same from one address (an IPv4 address, or the /64 of an IPv6 one).'),
  frames_per_s: rate(
    50,
    'Frames a second of one device. A connection that brings more is read more slowly; over UDP they are not taken, and the device is told to wait.',
  ),
  bytes_per_s: rate(
    20_000,
    'Bytes a second of one device, in the same way; also what a connection may bring of noise.',
  ),
  logs_per_s: rate(2, 'LOG messages a second of one device that are passed on; the others are counted.'),
  answers_per_s: rate(
    50,
    'Answers a second to datagrams of one address that belong to no session: errors, and bring-up services.',
  ),
  output_bytes: z
    .int()
    .min(4096)
    .max(16_777_216)
    .default(65_536)
    .describe('Bytes held for one connection that does not read; when they are full, it is closed.'),
  schema_bytes: z
    .int()
    .min(64)
    .max(4096)
    .default(4096)
    .describe('Bytes of the schema of one device; a longer one is refused.'),
  channels: z
    .int()
    .min(1)
    .max(64)
    .default(64)
    .describe(
      'Channels of one device. A schema with more is refused; of a device without schema the values of further channels are left out and counted.',
    ),
  commands_per_s: rate(50, 'Values a second that are taken from MQTT for devices, over all of them.'),
  commands_waiting: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1024)
    .describe('Commands that may wait for the answers of their devices, over all devices; more are refused.'),
  commands_per_device: z
    .int()
    .min(1)
    .max(4096)
    .default(16)
    .describe('Commands that may wait for the answers of one device.'),
  requests_per_s: rate(5, 'Requests (`bridge/request/…`) answered a second.'),
});

const journal = z.strictObject({
  durability: z
    .enum(DURABILITIES)
    .default(JOURNAL_DEFAULTS.durability)
    .describe(
      'What a reading survives once its device has the acknowledgement: power (synced to the disk: a power cut), process (written: the death of the gateway, not of the machine) or memory (neither; nothing is written).',
    ),
  dir: text()
    .optional()
    .describe(
      'Folder of the journal and of the dead letters; made if need be. Default: the folder that systemd gives (STATE_DIRECTORY), else bytes2mqtt-data beside the configuration file.',
    ),
  sync_interval_ms: z
    .int()
    .min(0)
    .max(10_000)
    .default(JOURNAL_DEFAULTS.syncIntervalMs)
    .describe(
      'At most one sync in this time; devices wait so long for their acknowledgements when there is much to do. Less wears an SD card more.',
    ),
  max_bytes: z
    .int()
    .min(33_554_432)
    .max(1_099_511_627_776)
    .default(JOURNAL_DEFAULTS.maxBytes)
    .describe('Bytes that the journal may take on the disk; when it is full, devices are told to wait.'),
  min_free_bytes: z
    .int()
    .min(0)
    .max(1_099_511_627_776)
    .default(JOURNAL_DEFAULTS.minFreeBytes)
    .describe('Bytes of the file system that the journal leaves free.'),
  hold_s: seconds(604_800)
    .default(JOURNAL_DEFAULTS.holdMs / 1_000)
    .describe(
      'How long readings are kept after the broker has taken them, for a broker that comes back without its newest. Longer than the broker takes to write what it has (autosave_interval of mosquitto).',
    ),
  max_records: z
    .int()
    .min(32)
    .max(10_000_000)
    .default(50_000)
    .describe(
      'With durability memory: frames of readings kept while the broker is away; then devices are told to wait.',
    ),
});

const delivery = z.strictObject({
  replay_rate: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(5_000)
    .describe('Readings a second at which a backlog is published, beside the live ones.'),
});

const log = z.strictObject({
  level: z.enum(LOG_LEVELS).default('info').describe('What is logged: this and everything more serious.'),
  format: z
    .enum(LOG_FORMATS)
    .default('auto')
    .describe('Lines for people, JSON, or (auto) the former on a terminal and the latter otherwise.'),
});

const http = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether there is a page, an API and metrics at all.'),
  host: text(255)
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Default: this machine only. 0.0.0.0 opens it to every IPv4 network of this machine; then a token is required.',
    ),
  port: z.int().min(0).max(65_535).default(2880).describe('Port to listen on; 0 is any free one.'),
  token: z
    .string()
    .min(16, 'must have at least 16 characters; "openssl rand -hex 16" makes a good one')
    .max(512)
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .optional()
    .meta({
      description:
        'What everybody has to bring who asks for anything: browsers once, others as "authorization: Bearer TOKEN"; better as `!secret NAME`. Required unless host is of the loopback.',
      ...SECRET,
    }),
  allowed_hosts: z
    .array(z.string().regex(/^[A-Za-z0-9.-]+$/, 'must be a name without port'))
    .max(32)
    .default([])
    .describe(
      'Names by which browsers may call the page, e.g. that of a reverse proxy. Addresses, localhost and the name of this machine always work.',
    ),
});

const discovery = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether devices are announced to Home Assistant.'),
  prefix: z
    .string()
    .max(64)
    .regex(TOPIC_BASE, 'must be topic levels of letters, digits, _ . and -, with no slash at either end')
    .default('homeassistant')
    .describe('Discovery prefix of Home Assistant. Must not lie within mqtt.base, nor the other way round.'),
  status_topic: text(128).optional().describe('Where Home Assistant says that it has started. Default: PREFIX/status.'),
});

export const DEVICE_ID = /^[0-9a-fA-F]{16}$/;

/** The whole file. Every key is optional: an empty file is a valid one. */
export const fileSchema = z.strictObject({
  mqtt: mqtt.prefault({}).describe('The broker and how to talk to it.'),
  sources: z
    .array(
      z.union(
        Object.values(SOURCE_SCHEMAS) as [
          typeof tcpSource,
          typeof udpSource,
          typeof unixSource,
          typeof serialSource,
          typeof connectSource,
        ],
      ),
    )
    .min(1, 'must have at least one source, or be left out')
    .default([{ tcp: '127.0.0.1:2883', backlog: 511 }, { udp: '127.0.0.1:2883' }])
    .describe(
      'The ways in. Each entry has exactly one of tcp, udp, unix, serial and connect. Default: TCP and UDP on port 2883 of the loopback address only.',
    ),
  devices: z
    .record(z.string().regex(DEVICE_ID, 'must be a device id of 16 hex digits'), device)
    .prefault({})
    .describe(
      'What is known about devices beforehand, by device id (16 hex digits). Devices not named here are welcome where `plain` of the source is true.',
    ),
  limits: limits
    .prefault({})
    .describe(
      "What peers may take of the gateway. Of every rate (`…_per_s`) ten seconds' worth may come at once, so that a device that was away brings what it has.",
    ),
  journal: journal
    .prefault({})
    .describe('The journal between a device and the broker: what is acknowledged is in it until the broker has it.'),
  delivery: delivery.prefault({}).describe('How readings are published.'),
  log: log.prefault({}).describe('The log, on stderr.'),
  http: http.prefault({}).describe('The dashboard, its API, metrics and health, over HTTP.'),
  discovery: discovery.prefault({}).describe('Home Assistant finds the devices by itself.'),
});

/** What the schema makes of a file: defaults filled in, nothing interpreted yet. */
export type FileConfig = z.output<typeof fileSchema>;
export type FileSource = FileConfig['sources'][number];

/** The JSON Schema of the file, for editors. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-2020-12' });
  return { ...schema, title: 'bytes2mqtt configuration' };
}
