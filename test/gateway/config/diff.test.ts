/** What has changed in a configuration, and what of it needs a restart. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diffConfig } from '../../../gateway/config/diff.ts';
import { KEYS } from '../../../gateway/config/keys.ts';
import { loadConfig } from '../../../gateway/config/load.ts';
import type { Config } from '../../../gateway/config/schema.ts';
import { configFolder, loadText } from '../../helpers/config-folder.ts';

function load(text: string): Config {
  const loaded = loadText(text, {}, { 'secrets.yaml': 'k: aaaa' });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

const diff = (before: string, after: string) => diffConfig(load(before), load(after));
const SOURCES = 'sources:\n  - { name: a, tcp: "127.0.0.1:0" }\n  - { name: b, udp: "127.0.0.1:0" }\n';

const names = ({ id }: { readonly id: string }): string => id;
const lineWith = (what: string): string => `sources:\n  - { name: line, serial: /dev/ttyUSB0, ${what} }\n`;

describe('diffConfig', () => {
  it('sees nothing where nothing is, also with profiles, which are compiled anew each time', () => {
    // Of one folder: the path of the journal is absolute.
    const text = `${SOURCES}  - { serial: /dev/ttyUSB0, profile: sds011 }\n  - { tcp: "127.0.0.1:5027", profile: teltonika }\n`;
    const cwd = configFolder({ 'bytes2mqtt.yaml': text });
    const [one, two] = [loadConfig({ env: {}, cwd }), loadConfig({ env: {}, cwd })];
    if (!one.ok || !two.ok) throw new Error('it does not load');
    expect(diffConfig(one.config, two.config)).toEqual({
      sources: { added: [], removed: [], changed: [] },
      devices: new Map(),
      limits: [],
      logLevel: false,
      restart: [],
    });
  });

  it('tells sources apart by their names', () => {
    const { sources } = diff(
      SOURCES,
      'sources:\n  - { name: b, udp: "127.0.0.1:0", receive_buffer: 4096 }\n  - { name: c, tcp: "127.0.0.1:0" }\n',
    );
    expect([sources.added.map(names), sources.removed.map(names), sources.changed.map(names)]).toEqual([
      ['c'],
      ['a'],
      ['b'],
    ]);
  });

  it.each([
    ['profile: pms5003', 'profile: sds011', true],
    ['profile: modbus_rtu, registers: { x: { at: 1 } }', 'profile: modbus_rtu, registers: { x: { at: 2 } }', true],
    ['profile: sds011', 'profile: sds011, every_s: 5', true],
    ['profile: sds011', 'device: sds011, profile: sds011', false],
    ['baud: 115200', 'silence_s: 5', true],
    ['baud: 115200', 'parity: none', false],
  ])('a line with %s that gets %s', (before, after, isChanged) => {
    expect(diff(lineWith(before), lineWith(after)).sources.changed).toHaveLength(isChanged ? 1 : 0);
  });

  it('a profile of the user whose text has changed changes its source', () => {
    const text = readFileSync(new URL('../../../protocol/profiles/sds011.yaml', import.meta.url), 'utf8');
    const cwd = configFolder({
      'bytes2mqtt.yaml': 'sources:\n  - { name: line, serial: /dev/ttyUSB0, profile: ./meter.yaml }\n',
      'meter.yaml': text,
    });
    const before = loadConfig({ env: {}, cwd });
    writeFileSync(join(cwd, 'meter.yaml'), `${text}\n# another`);
    const after = loadConfig({ env: {}, cwd });
    if (!before.ok || !after.ok) throw new Error('it does not load');
    expect(diffConfig(before.config, after.config).sources.changed).toMatchObject([{ id: 'line' }]);
  });

  it('names keys as they are written', () => {
    const key = '0123456789abcdef'.repeat(4);
    const { devices, limits, logLevel, restart } = diff(
      `${SOURCES}devices:\n  a1b2c3d4e5f60718: { alias: x }\n  a1b2c3d4e5f60719: {}\n`,
      `${SOURCES}devices:\n  a1b2c3d4e5f60718: { alias: y, key: ${key} }\n  a1b2c3d4e5f6071a: { plain: true }\n` +
        'limits: { frame_s: 3, keepalive_s: 9, commands_per_s: 7 }\nlog: { level: debug, format: json }\n' +
        'mqtt: { url: "mqtt://h", client_id: me, keepalive_s: 9 }\njournal: { sync_interval_ms: 9, hold_s: 9, dir: /tmp/j }\n' +
        'http: { enabled: false }\ndiscovery: { prefix: ha }\ndelivery: { replay_rate: 9 }\n',
    );
    expect(devices).toEqual(
      new Map([
        ['a1b2c3d4e5f60718', ['alias', 'key']],
        ['a1b2c3d4e5f60719', []],
        ['a1b2c3d4e5f6071a', ['plain']],
      ]),
    );
    expect(limits).toEqual(['limits.frame_s', 'limits.keepalive_s', 'limits.commands_per_s']);
    expect(logLevel).toBe(true);
    const known = new Set(KEYS.map(({ path }) => path.join('.')));
    expect([...restart, ...limits].filter((name) => !known.has(name))).toEqual([]);
    expect(restart.toSorted()).toEqual([
      'delivery.replay_rate',
      'discovery.prefix',
      'discovery.status_topic',
      'http.enabled',
      'journal.dir',
      'journal.hold_s',
      'journal.sync_interval_ms',
      'log.format',
      'mqtt.client_id',
      'mqtt.keepalive_s',
      'mqtt.url',
    ]);
  });
});
