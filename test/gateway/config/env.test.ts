import { describe, expect, it } from 'vitest';
import { hasVariable, overlayEnvironment, variableName } from '../../../gateway/config/env.ts';
import { findKey, formatPath, KEYS } from '../../../gateway/config/keys.ts';
import type { Key } from '../../../gateway/config/keys.ts';
import { configFolder, loadText } from '../../helpers/config-folder.ts';
import { loadConfig } from '../../../gateway/config/load.ts';

/** A right value for every key that is text without a list of words; a new key makes the test ask for one. */
const SAMPLES: Record<string, string> = {
  'mqtt.url': 'mqtts://broker:8883',
  'mqtt.base': 'home/bytes',
  'mqtt.username': 'me',
  'mqtt.password': '0123',
  'mqtt.ca': 'bytes2mqtt.yaml',
  'mqtt.cert': 'bytes2mqtt.yaml',
  'mqtt.key': 'bytes2mqtt.yaml',
  'mqtt.client_id': '42',
  'sources.*.tcp': '127.0.0.1:0',
  'sources.*.udp': '127.0.0.1:0',
  'sources.*.unix': 'a.sock',
  'sources.*.serial': '/dev/ttyUSB7',
  'sources.*.connect': '127.0.0.1:1',
  'sources.*.tls.cert': 'bytes2mqtt.yaml',
  'sources.*.tls.key': 'bytes2mqtt.yaml',
  'sources.*.tls.client_ca': 'bytes2mqtt.yaml',
  'sources.*.name': 'here',
  'sources.*.mode': '0600',
  'sources.*.profile': 'gt06',
  'sources.*.device': 'lamp',
  'sources.*.peer': '127.0.0.1:1',
  'devices.*.alias': 'lamp',
  'devices.*.key': '0123456789abcdef'.repeat(4),
  'journal.dir': 'data',
  'http.host': '::1',
  'http.token': 'correct-horse-battery',
  'discovery.prefix': 'ha',
  'discovery.status_topic': 'ha/status',
};

function sampleOf(key: Key): string {
  if (key.values !== undefined) return String(key.values.find((value) => value !== key.default) ?? key.values[0]);
  if (key.type === 'boolean') return String(key.default !== true);
  if (key.type === 'string') return SAMPLES[key.path.join('.')] ?? '';
  return String(key.maximum);
}

const DEVICE = 'A1B2C3D4E5F60718';

/** Keys of a source that mean something beside a profile only. */
const WITH_PROFILE = ['device', 'every_s', 'timeout_s', 'only_named', 'peer'];

function settingOf(key: Key) {
  return {
    variable: variableName(key).replace('<N>', '0').replace('<ID>', DEVICE),
    path: key.path.map((part) => (part !== '*' ? part : key.path[0] === 'sources' ? 0 : DEVICE.toLowerCase())),
  };
}

describe('every key is an environment variable', () => {
  it.each(KEYS.filter(hasVariable).map((key) => [key.path.join('.'), key] as const))('%s', (name, key) => {
    const sample = sampleOf(key);
    expect(sample, `SAMPLES needs a value for ${name}`).not.toBe('');
    const { variable, path } = settingOf(key);

    // On top of nothing, and of a file that says otherwise: the same.
    for (const file of [undefined, { mqtt: { base: 'file' }, log: { level: 'fatal' } }]) {
      const overlay = overlayEnvironment(file, { [variable]: sample });
      expect(overlay.unknown).toEqual([]);
      expect(overlay.variables.get(formatPath(path))).toBe(variable);
      const value = path.reduce<unknown>(
        (node, part) => (node as Record<string | number, unknown>)[part],
        overlay.value,
      );
      const expected = key.type === 'string' ? sample : key.type === 'boolean' ? sample === 'true' : Number(sample);
      expect(value).toBe(expected);
    }

    // And the whole way: it is accepted, together with what it needs.
    const needs: Record<string, string> = {};
    if (key.path[0] === 'sources') {
      const kind = key.kinds[0] ?? 'tcp';
      needs[`BYTES2MQTT_SOURCES_0_${kind.toUpperCase()}`] = SAMPLES[`sources.*.${kind}`] ?? '';
    }
    if (key.path[2] === 'tls') {
      needs['BYTES2MQTT_SOURCES_0_TLS_CERT'] = 'bytes2mqtt.yaml';
      needs['BYTES2MQTT_SOURCES_0_TLS_KEY'] = 'bytes2mqtt.yaml';
    }
    if (name === 'mqtt.cert') needs['BYTES2MQTT_MQTT_KEY'] = 'bytes2mqtt.yaml';
    if (name === 'mqtt.key') needs['BYTES2MQTT_MQTT_CERT'] = 'bytes2mqtt.yaml';
    if (name === 'mqtt.password') needs['BYTES2MQTT_MQTT_USERNAME'] = 'me';
    if (WITH_PROFILE.includes(key.path[2] ?? '')) needs['BYTES2MQTT_SOURCES_0_PROFILE'] = 'gt06';
    const text =
      name === 'sources.*.only_named' ? 'sources:\n  - { tcp: "127.0.0.1:0", names: { "868120": van } }\n' : '';
    const loaded = loadText(text, { ...needs, [variable]: sample });
    expect(loaded.ok ? [] : loaded.problems).toEqual([]);
  });

  it('names are unique', () => {
    expect(new Set(KEYS.map(variableName)).size).toBe(KEYS.length);
  });

  it('finds keys by path', () => {
    expect(findKey(['sources', 3, 'tcp'])?.path).toEqual(['sources', '*', 'tcp']);
    expect(findKey(['sources'])).toBeUndefined();
  });
});

describe('the environment over the file', () => {
  it('wins, and leaves the rest of the file', () => {
    const loaded = loadText('mqtt: { base: file, client_id: file }\n', { BYTES2MQTT_MQTT_BASE: 'env' });
    expect(loaded.ok && loaded.config.mqtt).toMatchObject({ base: 'env', clientId: 'file' });
  });

  it('sets one key of a source, or gives it another kind, or adds one', () => {
    const text = 'sources:\n  - { serial: /dev/x, baud: 9600 }\n  - { serial: /dev/y, baud: 9600 }\n';
    const loaded = loadText(text, {
      BYTES2MQTT_SOURCES_0_BAUD: '19200',
      BYTES2MQTT_SOURCES_1_TCP: '127.0.0.1:1',
      BYTES2MQTT_SOURCES_2_UDP: '127.0.0.1:1',
    });
    expect(loaded.ok && loaded.config.sources.map((source) => source.id)).toEqual([
      'serial:/dev/x',
      'tcp:127.0.0.1:1',
      'udp:127.0.0.1:1',
    ]);
    expect(loaded.ok && loaded.config.sources[0]).toMatchObject({ baud: 19_200 });
  });

  it('replaces the default sources', () => {
    const loaded = loadConfig({ env: { BYTES2MQTT_SOURCES_0_TCP: '0.0.0.0:1' }, cwd: configFolder() });
    expect(loaded.ok && loaded.config.sources.map((source) => source.id)).toEqual(['tcp:0.0.0.0:1']);
  });

  it('takes more than ten sources in the order of their numbers', () => {
    const env = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`BYTES2MQTT_SOURCES_${i}_TCP`, `127.0.0.1:${i + 1}`]),
    );
    const loaded = loadText('', env);
    expect(loaded.ok && loaded.config.sources.map((source) => source.id).at(-1)).toBe('tcp:127.0.0.1:12');
  });

  it('finds a device of the file in either case', () => {
    const loaded = loadText('devices: { A1B2C3D4E5F60718: { alias: file } }', {
      BYTES2MQTT_DEVICES_a1b2c3d4e5f60718_ALIAS: 'env',
    });
    expect(loaded.ok && Array.from(loaded.config.devices, ([id, { alias }]) => [id, alias])).toEqual([
      ['a1b2c3d4e5f60718', 'env'],
    ]);
  });

  it('counts an empty variable as not set', () => {
    const loaded = loadText('mqtt: { base: file }', { BYTES2MQTT_MQTT_BASE: '', BYTES2MQTT_NOPE: '' });
    expect(loaded.ok && loaded.config.mqtt.base).toBe('file');
    expect(loaded.warnings).toEqual([]);
  });

  it.each([
    [{ BYTES2MQTT_MQTT_QOS: 'two' }, 'mqtt.qos'],
    [{ BYTES2MQTT_MQTT_VERIFY: 'yes' }, 'mqtt.verify'],
    [{ BYTES2MQTT_LIMITS_WINDOW: '0x10' }, 'limits.window'],
    [{ BYTES2MQTT_SOURCES_0_TCP: 'x' }, 'sources[0].tcp'],
  ])('a wrong value is told with its variable: %j', (env, path) => {
    const loaded = loadText('', env);
    const [problem] = loaded.ok ? [] : loaded.problems;
    expect(problem).toMatchObject({ code: 'CONFIG_INVALID', path, variable: Object.keys(env)[0], file: undefined });
  });

  it('a gap in the numbers of sources is told', () => {
    const loaded = loadText('', { BYTES2MQTT_SOURCES_1_TCP: '127.0.0.1:1' });
    expect(loaded.ok ? [] : loaded.problems.map((problem) => problem.path)).toEqual(['sources[1].tcp']);
  });
});
