import { symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../gateway/config/load.ts';
import { formatProblem } from '../../../gateway/config/problem.ts';
import { STARTER } from '../../../gateway/config/starter.ts';
import { configFolder, loadText } from '../../helpers/config-folder.ts';

/** A device key, 32 bytes in hex. */
const KEY = '6b'.repeat(31) + '01';

function firstMessage(text: string): string {
  const loaded = loadText(text);
  return loaded.ok ? '' : (loaded.problems[0]?.message ?? '');
}

function codesOf(path: string | undefined, cwd: string): string[] {
  const loaded = loadConfig({ path, env: {}, cwd });
  return loaded.ok ? [] : loaded.problems.map(({ code, file }) => `${code} ${file}`);
}

function warningsOf(text: string, env: Record<string, string> = {}): string[] {
  const loaded = loadText(text, env, { 'ca.pem': 'x' });
  return loaded.warnings.map(({ code, path, variable }) => `${code} ${variable ?? path}`);
}

function configOf(...args: Parameters<typeof loadText>) {
  const loaded = loadText(...args);
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  return loaded.config;
}

/** `CODE path line:column`, as the user finds it. */
function problemsOf(...args: Parameters<typeof loadText>): string[] {
  const loaded = loadText(...args);
  if (loaded.ok) throw new Error('expected problems');
  return loaded.problems.map(
    ({ code, path, line, column, variable }) => `${code} ${path || '-'} ${variable ?? `${line}:${column}`}`,
  );
}

describe('a right configuration', () => {
  it('without a file is the defaults, on the loopback address', () => {
    const cwd = configFolder();
    const loaded = loadConfig({ env: {}, cwd });
    if (!loaded.ok) throw new Error('defaults must be valid');
    expect(loaded.file).toBeUndefined();
    expect(loaded.config).toEqual({
      mqtt: {
        url: undefined,
        base: 'bytes2mqtt',
        username: undefined,
        password: undefined,
        ca: undefined,
        cert: undefined,
        key: undefined,
        verify: true,
        clientId: undefined,
        qos: 1,
        keepaliveS: 30,
      },
      sources: [
        {
          kind: 'tcp',
          id: 'tcp:127.0.0.1:2883',
          service: undefined,
          profile: undefined,
          plain: true,
          host: '127.0.0.1',
          port: 2883,
          backlog: 511,
          tls: undefined,
        },
        {
          kind: 'udp',
          id: 'udp:127.0.0.1:2883',
          service: undefined,
          profile: undefined,
          plain: true,
          host: '127.0.0.1',
          port: 2883,
          receiveBuffer: undefined,
        },
      ],
      devices: new Map(),
      limits: {
        connections: 1024,
        connectionsPerAddress: 64,
        connectionsUnauthenticated: 64,
        sessionsPerConnection: 32,
        devices: 4096,
        handshakeMs: 5000,
        frameMs: 10_000,
        keepaliveS: 30,
        window: 32,
        readBudget: 4096,
        throttleMs: 60_000,
        handshakesPerS: 100,
        handshakesPerAddressPerS: 10,
        framesPerS: 50,
        bytesPerS: 20_000,
        logsPerS: 2,
        answersPerS: 50,
        outputBytes: 65_536,
        schemaBytes: 4096,
        channels: 64,
        commandsPerS: 50,
        commandsWaiting: 1024,
        commandsPerDevice: 16,
        requestsPerS: 5,
      },
      journal: {
        durability: 'power',
        dir: join(cwd, 'bytes2mqtt-data'),
        syncIntervalMs: 250,
        maxBytes: 1_073_741_824,
        minFreeBytes: 67_108_864,
        holdMs: 600_000,
        maxRecords: 50_000,
      },
      delivery: { replayRate: 5_000 },
      log: { level: 'info', format: 'auto' },
      http: { host: '127.0.0.1', port: 2880, token: undefined, allowedHosts: [] },
      discovery: { prefix: 'homeassistant', statusTopic: 'homeassistant/status' },
    });
  });

  it.each(['', '# nothing\n', 'mqtt:\nsources:\ndevices:\nlimits:\njournal:\nlog:\n', '{}'])(
    'may be empty: %j',
    (text) => {
      expect(configOf(text).sources).toHaveLength(2);
    },
  );

  it.each([
    ['', {}, 'bytes2mqtt-data'],
    ['journal: { dir: data/j }', { STATE_DIRECTORY: '/var/lib/a' }, 'data/j'],
    ['', { STATE_DIRECTORY: '/var/lib/a:/var/lib/b' }, '/var/lib/a'],
    ['', { STATE_DIRECTORY: '', BYTES2MQTT_JOURNAL_DIR: '/x' }, '/x'],
  ])('has its journal beside the file, or where systemd says: %j %j', (text, env, wanted) => {
    const folder = configFolder({ 'bytes2mqtt.yaml': text });
    const loaded = loadConfig({ env, cwd: folder });
    expect(loaded.ok && loaded.config.journal.dir).toBe(resolve(folder, wanted));
  });

  it('is what init writes, with nothing but the defaults in it', () => {
    const env = { STATE_DIRECTORY: '/var/lib/x' };
    expect(configOf(STARTER, env)).toEqual(configOf('', env));
  });

  it('stays right when every line that is commented out is taken', () => {
    const all = STARTER.replaceAll(/^( *)# ([-a-z0-9_ ]+:( .*)?)$/gm, '$1$2')
      .replace(/^yaml-language-server.*$/m, '')
      .replace('ca: ca.pem', '# no ca')
      .replace(/^bytes2mqtt: .*$/m, '');
    expect(all).toMatch(/^ {2}- serial: /m);
    const config = configOf(
      all,
      {},
      { 'secrets.yaml': `mqtt: x\ngreenhouse: ${KEY}\nhttp_token: correct-horse-battery\n` },
    );
    expect(config.sources.map((source) => source.kind)).toEqual([
      'tcp',
      'udp',
      'serial',
      'serial',
      'unix',
      'connect',
      'tcp',
    ]);
    expect(config.devices.get('a1b2c3d4e5f60718')).toMatchObject({
      alias: 'greenhouse',
      key: Uint8Array.from(Buffer.from(KEY, 'hex')),
    });
  });

  it('reads every kind of source', () => {
    const { sources } = configOf(`
sources:
  - { tcp: "[::1]:0", backlog: 5, service: echo, name: bringup }
  - { udp: "0.0.0.0:2883", receive_buffer: 1000000 }
  - { unix: run/link.sock, mode: "0660" }
  - { serial: /dev/ttyUSB0, baud: 9600, data_bits: 7, parity: even, stop_bits: 2, rtscts: true, silence_s: 1.5 }
  - { connect: "bridge.local:8899" }
  - { connect: "bridge.local:8899" }
  - { tcp: "[::1]:0" }
`);
    expect(sources[0]).toEqual({
      kind: 'tcp',
      id: 'bringup',
      service: 'echo',
      plain: true,
      host: '::1',
      port: 0,
      backlog: 5,
    });
    expect(sources[1]).toMatchObject({ kind: 'udp', receiveBuffer: 1_000_000 });
    expect(sources[2]).toMatchObject({
      kind: 'unix',
      path: expect.stringMatching(/^\/.*\/run\/link\.sock$/),
      mode: 0o660,
    });
    expect(sources[3]).toEqual({
      kind: 'serial',
      id: 'serial:/dev/ttyUSB0',
      service: undefined,
      plain: true,
      path: '/dev/ttyUSB0',
      baud: 9600,
      dataBits: 7,
      parity: 'even',
      stopBits: 2,
      rtscts: true,
      silenceMs: 1500,
    });
    expect(sources.slice(4).map((source) => source.id)).toEqual([
      'connect:bridge.local:8899',
      'connect:bridge.local:8899#2',
      'tcp:[::1]:0',
    ]);
  });

  it('keeps device ids exact that YAML would take for numbers, in either case', () => {
    const { devices } = configOf('devices:\n  9007199254740993: { alias: a }\n  12E4567812345678: { alias: b }\n');
    expect(Array.from(devices, ([id, { alias }]) => [id, alias])).toEqual([
      ['9007199254740993', 'a'],
      ['12e4567812345678', 'b'],
    ]);
  });

  it('finds files beside the configuration, wherever it is', () => {
    const cwd = configFolder({ 'etc/b.yaml': 'mqtt: { url: "mqtts://h", ca: ca.pem }\n', 'etc/ca.pem': 'x' });
    const loaded = loadConfig({ path: 'etc/b.yaml', env: {}, cwd });
    expect(loaded.ok && loaded.config.mqtt.ca).toBe(join(cwd, 'etc/ca.pem'));
    expect(loaded.ok && loaded.file).toBe('etc/b.yaml');
  });

  it('may use YAML aliases as shorthand', () => {
    expect(configOf('mqtt: { base: &n abc, client_id: *n }\n').mqtt.clientId).toBe('abc');
  });

  it('knows where each value was written', () => {
    const loaded = loadText('sources:\n  - tcp: 127.0.0.1:1\n', { BYTES2MQTT_SOURCES_1_UDP: '127.0.0.1:1' });
    if (!loaded.ok) throw new Error('expected it to load');
    expect(loaded.originOf(['sources', 0, 'tcp'])).toMatchObject({ file: 'bytes2mqtt.yaml', line: 2, column: 10 });
    expect(loaded.originOf(['sources', 1, 'udp'])).toMatchObject({ variable: 'BYTES2MQTT_SOURCES_1_UDP' });
  });
});

describe('a wrong configuration is told with code, path, line and column', () => {
  const cases: [name: string, text: string, expected: string[]][] = [
    ['unknown section', 'foo: 1', ['CONFIG_UNKNOWN_KEY foo 1:1']],
    ['unknown key', 'mqtt:\n  ulr: x', ['CONFIG_UNKNOWN_KEY mqtt.ulr 2:3']],
    ['key of another kind', 'sources:\n  - tcp: a:1\n    baud: 3', ['CONFIG_UNKNOWN_KEY sources[0].baud 3:5']],
    ['__proto__', '__proto__: { x: 1 }', ['CONFIG_UNKNOWN_KEY __proto__ 1:1']],
    ['__proto__ deeper', 'mqtt: { __proto__: { url: x } }', ['CONFIG_UNKNOWN_KEY mqtt.__proto__ 1:9']],
    ['a list', '- a', ['CONFIG_INVALID - 1:1']],
    ['a word', 'hello', ['CONFIG_INVALID - 1:1']],
    ['section of a wrong type', 'log: debug', ['CONFIG_INVALID log 1:6']],
    ['sources as a map', 'sources: { tcp: "a:1" }', ['CONFIG_INVALID sources 1:10']],
    ['no sources', 'sources: []', ['CONFIG_INVALID sources 1:10']],
    ['source as text', 'sources:\n  - a', ['CONFIG_INVALID sources[0] 2:5']],
    ['source without kind', 'sources:\n  - name: a', ['CONFIG_INVALID sources[0] 2:5']],
    ['source with an unknown kind', 'sources:\n  - tpc: a:1', ['CONFIG_UNKNOWN_KEY sources[0].tpc 2:5']],
    ['source of two kinds', 'sources:\n  - tcp: a:1\n    udp: a:1', ['CONFIG_CONFLICT sources[0] 2:5']],
    ['port missing', 'sources:\n  - tcp: localhost', ['CONFIG_INVALID sources[0].tcp 2:10']],
    ['port only', 'sources:\n  - tcp: 2883', ['CONFIG_INVALID sources[0].tcp 2:10']],
    ['port too large', 'sources:\n  - udp: a:65536', ['CONFIG_INVALID sources[0].udp 2:10']],
    ['connect to port 0', 'sources:\n  - connect: a:0', ['CONFIG_INVALID sources[0].connect 2:14']],
    ['IPv6 without quotes', 'sources:\n  - tcp: [::]:2883', ['CONFIG_SYNTAX - 2:14']],
    ['wrong number', 'limits:\n  window: 33', ['CONFIG_INVALID limits.window 2:11']],
    ['not a whole number', 'limits:\n  window: 1.5', ['CONFIG_INVALID limits.window 2:11']],
    ['infinity', 'limits:\n  handshake_s: .inf', ['CONFIG_INVALID limits.handshake_s 2:16']],
    ['text for a number', 'limits: { connections: many }', ['CONFIG_INVALID limits.connections 1:24']],
    ['number for text', 'mqtt: { client_id: 5 }', ['CONFIG_INVALID mqtt.client_id 1:20']],
    ['no value', 'mqtt:\n  url:\n', ['CONFIG_INVALID mqtt.url 2:7']],
    ['word of a list', 'log: { level: verbose }', ['CONFIG_INVALID log.level 1:15']],
    ['octal mode without quotes', 'sources:\n  - unix: a\n    mode: 0660', ['CONFIG_INVALID sources[0].mode 3:11']],
    ['topic with wildcard', 'mqtt: { base: "a/+" }', ['CONFIG_INVALID mqtt.base 1:15']],
    ['other protocol', 'mqtt: { url: "http://a" }', ['CONFIG_INVALID mqtt.url 1:14']],
    ['no protocol', 'mqtt: { url: "a:1883" }', ['CONFIG_INVALID mqtt.url 1:14']],
    ['no host', 'mqtt: { url: "mqtt://" }', ['CONFIG_INVALID mqtt.url 1:14']],
    ['path in the url', 'mqtt: { url: "mqtt://a/b" }', ['CONFIG_INVALID mqtt.url 1:14']],
    ['certificate missing', 'mqtt: { url: "mqtts://a", ca: nope.pem }', ['FILE_UNREADABLE mqtt.ca 1:31']],
    ['certificate is a folder', 'mqtt: { url: "mqtts://a", ca: . }', ['FILE_UNREADABLE mqtt.ca 1:31']],
    ['certificate alone', 'mqtt: { url: "mqtts://a", cert: bytes2mqtt.yaml }', ['CONFIG_CONFLICT mqtt.cert 1:33']],
    ['password alone', 'mqtt: { url: "mqtt://a", password: x }', ['CONFIG_CONFLICT mqtt.password 1:36']],
    ['device id', 'devices:\n  abc: { alias: x }', ['CONFIG_INVALID devices.abc 2:3']],
    ['alias', 'devices:\n  a1b2c3d4e5f60718: { alias: Grün }', ['CONFIG_INVALID devices.a1b2c3d4e5f60718.alias 2:30']],
    [
      'alias bridge',
      'devices: { a1b2c3d4e5f60718: { alias: bridge } }',
      ['CONFIG_CONFLICT devices.a1b2c3d4e5f60718.alias 1:39'],
    ],
    [
      'alias twice',
      'devices:\n  a1b2c3d4e5f60718: { alias: x }\n  a1b2c3d4e5f60719: { alias: x }',
      ['CONFIG_CONFLICT devices.a1b2c3d4e5f60719.alias 3:30'],
    ],
    [
      'alias like an id',
      'devices:\n  a1b2c3d4e5f60718: { alias: a1b2c3d4e5f60719 }',
      ['CONFIG_CONFLICT devices.a1b2c3d4e5f60718.alias 2:30'],
    ],
    [
      'device twice',
      'devices:\n  a1b2c3d4e5f60718: {}\n  A1B2C3D4E5F60718: {}',
      ['CONFIG_CONFLICT devices.A1B2C3D4E5F60718 3:3'],
    ],
    ['same listener', 'sources:\n  - tcp: a:1\n  - tcp: a:1', ['CONFIG_CONFLICT sources[1].tcp 3:10']],
    ['all addresses', 'sources:\n  - udp: 127.0.0.1:1\n  - udp: 0.0.0.0:1', ['CONFIG_CONFLICT sources[1].udp 3:10']],
    ['same device', 'sources:\n  - serial: /dev/x\n  - serial: /dev/x', ['CONFIG_CONFLICT sources[1].serial 3:13']],
    [
      'same name',
      'sources:\n  - { tcp: "a:1", name: n }\n  - { tcp: "a:2", name: n }',
      ['CONFIG_CONFLICT sources[1].name 3:25'],
    ],
    ['long socket path', `sources:\n  - unix: ${'x'.repeat(99)}`, ['CONFIG_INVALID sources[0].unix 2:11']],
    ['no kind: tls', 'sources:\n  - tls: a:1', ['CONFIG_UNKNOWN_KEY sources[0].tls 2:5']],
    ['open without token', 'http: { host: 0.0.0.0 }', ['CONFIG_CONFLICT http.host 1:15']],
    ['short token', 'http: { token: abc }', ['CONFIG_INVALID http.token 1:16']],
    ['allowed host with port', 'http: { allowed_hosts: ["a:1"] }', ['CONFIG_INVALID http.allowed_hosts[0] 1:25']],
    ['prefix is base', 'mqtt: { base: ha }\ndiscovery: { prefix: ha }', ['CONFIG_CONFLICT discovery.prefix 2:22']],
    ['prefix in base', 'mqtt: { base: ha }\ndiscovery: { prefix: ha/x }', ['CONFIG_CONFLICT discovery.prefix 2:22']],
    ['base in prefix', 'mqtt: { base: ha/x }\ndiscovery: { prefix: ha }', ['CONFIG_CONFLICT discovery.prefix 2:22']],
    ['wildcard', 'discovery: { status_topic: "a/+" }', ['CONFIG_INVALID discovery.status_topic 1:28']],
    ['key twice', 'mqtt:\n  base: x\n  base: y', ['CONFIG_SYNTAX - 3:3']],
    ['tab', 'mqtt:\n\tbase: x', ['CONFIG_SYNTAX - 2:1']],
    ['second colon', 'mqtt: base: x', ['CONFIG_SYNTAX - 1:7']],
    ['unknown tag', 'mqtt: { base: !env X }', ['CONFIG_SYNTAX - 1:15']],
    ['quote never closed', 'mqtt:\n  url: "mqtt://x\n  base: y\n', ['CONFIG_SYNTAX - 2:8']],
    ['second document', 'log: {}\n---\nlog: {}', ['CONFIG_SYNTAX - 2:1']],
    ['alias without anchor', 'mqtt:\n  base: *x', ['CONFIG_SYNTAX - 2:9']],
    ['alias bomb', bomb(), ['CONFIG_SYNTAX - 1:1']],
    ['alias within itself', 'mqtt: &a { base: *a }', ['CONFIG_SYNTAX - 1:18']],
    [
      'several at once, in the order of the file',
      'log: { level: x }\nmqtt:\n  qos: 2\n  foo: 1\n',
      ['CONFIG_INVALID log.level 1:15', 'CONFIG_INVALID mqtt.qos 3:8', 'CONFIG_UNKNOWN_KEY mqtt.foo 4:3'],
    ],
  ];

  it.each(cases)('%s', (_, text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });

  it('suggests what was meant', () => {
    expect(firstMessage('mqtt: { ulr: x }')).toContain('Did you mean url?');
    expect(firstMessage('mqtt: { client-id: x }')).toContain('Did you mean client_id?');
    expect(firstMessage('sorces: []')).toContain('Did you mean sources?');
    expect(firstMessage('log: { level: wran }')).toContain('Did you mean warn?');
    expect(firstMessage('url: mqtt://a')).toContain('belongs to mqtt');
    expect(firstMessage('mqtt: { sources: [] }')).toContain('first column');
    expect(firstMessage('sources: [{ tcp: "a:1", baud: 1 }]')).toContain('serial sources');
    expect(firstMessage('limits: { window: 0 }')).toContain('from 1 to 32');
    expect(firstMessage('sources: [{ tcp: 2884 }]')).toContain('HOST:PORT, e.g. 127.0.0.1:2884');
    expect(firstMessage('sources: [{ udp: 99999999 }]')).toContain('HOST:PORT, e.g. 127.0.0.1:2883');
    expect(firstMessage('log: { level: "x }')).toContain('quote is never closed');
  });

  it.each(['tcp: a:1\n    udp: a:1', 'baud: 9600'])('does not show a source as a map: %j', (entry) => {
    const loaded = loadText(`sources:\n  - ${entry}`);
    expect(loaded.ok ? 'ok' : loaded.problems[0]).toMatchObject({ path: 'sources[0]', found: undefined });
  });

  it('shows what is there, harmlessly', () => {
    const loaded = loadText('mqtt: { base: "\\e[2J\\u202e#" }\n"\\e[2J": 1\n');
    const text = loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n');
    expect(text).toContain('[2J');
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});

function bomb(): string {
  const lines = ['a0: &a0 [x]'];
  for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}*a${i - 1}]`);
  return lines.join('\n');
}

describe('a file that cannot be read', () => {
  it('is told when it was named and is not there', () => {
    expect(codesOf('nope.yaml', configFolder())).toEqual(['CONFIG_NOT_FOUND nope.yaml']);
  });

  it('is told when it is a folder, too large, or no text', () => {
    const cwd = configFolder({
      'large.yaml': `#${'x'.repeat(1_100_000)}`,
      'binary.yaml': Uint8Array.of(0x6d, 0xff, 0xfe),
    });
    expect(codesOf('.', cwd)).toEqual(['CONFIG_NOT_FOUND .']);
    expect(codesOf('large.yaml', cwd)).toEqual(['CONFIG_SYNTAX large.yaml']);
    expect(codesOf('binary.yaml', cwd)).toEqual(['CONFIG_SYNTAX binary.yaml']);
  });

  it('is told when the system does not let it be read', () => {
    const cwd = configFolder({ 'a.yaml': '' });
    symlinkSync('loop.yaml', join(cwd, 'loop.yaml'));
    expect(codesOf('loop.yaml', cwd)).toEqual(['FILE_UNREADABLE loop.yaml']);
    expect(codesOf('a.yaml/b.yaml', cwd)).toEqual(['CONFIG_NOT_FOUND a.yaml/b.yaml']);
  });
});

describe('warnings', () => {
  it('tell what has no effect', () => {
    expect(warningsOf('mqtt: { url: "mqtt://a", ca: ca.pem }')).toEqual(['CONFIG_CONFLICT mqtt.ca']);
    expect(warningsOf('mqtt: { username: a }')).toEqual(['CONFIG_CONFLICT mqtt.username']);
  });

  it('tell a serial device without its folder', () => {
    expect(warningsOf('sources: [{ serial: ttyUSB0 }]')).toEqual(['CONFIG_INVALID sources[0].serial']);
    for (const path of ['/dev/ttyUSB0', 'COM3']) expect(warningsOf(`sources: [{ serial: ${path} }]`)).toEqual([]);
  });

  it('tell unknown variables, with or without other problems', () => {
    const env = { BYTES2MQTT_MQTT_ULR: 'x', BYTES2MQTT_SECRET_X: 'x', OTHER: 'x' };
    expect(warningsOf('', env)).toEqual(['CONFIG_UNKNOWN_VARIABLE BYTES2MQTT_MQTT_ULR']);
    expect(warningsOf('foo: 1', env)).toEqual(['CONFIG_UNKNOWN_VARIABLE BYTES2MQTT_MQTT_ULR']);
  });
});
