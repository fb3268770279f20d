import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { aliasOf, baseProblem, isDeviceAlias, Topics } from '../../../gateway/mqtt/topics.ts';

describe('aliasOf', () => {
  it.each([
    ['Temperature', 'temperature'],
    ['PM2.5 (µg/m³)', 'pm2_5_g_m3'],
    ['Außen-Fühler', 'au_en_fuhler'],
    ['  __proto__ ', 'proto'],
    ['a/b+c#', 'a_b_c'],
    ['x'.repeat(100), 'x'.repeat(32)],
    ['温度', 'ch7'],
    ['', 'ch7'],
    ['\u0000\u001b[2J', '2j'],
    // keys that the state JSON has itself
    ['ts', 'ts_ch7'],
    ['ID', 'id_ch7'],
    ['air_quality', 'air_quality_ch7'],
  ])('makes %j into %j', (text, alias) => {
    expect(aliasOf(text, new Set(), 'ch7')).toBe(alias);
  });

  it('keeps names apart', () => {
    expect(aliasOf('Door', new Set(['door']), 'ch7')).toBe('door_ch7');
    expect(aliasOf('Door', new Set(['door', 'door_ch7']), 'ch7')).toBe('door_ch7_2');
    expect(aliasOf('x'.repeat(40), new Set(['x'.repeat(32)]), 'ch7')).toBe(`${'x'.repeat(28)}_ch7`);
  });

  it('is always valid, unique and never a key of the state JSON', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('ts', 'id', 'a', 'A', 'x_quality'))),
        (texts) => {
          const taken = new Set<string>();
          texts.forEach((text, index) => {
            const alias = aliasOf(text, taken, `ch${index}`);
            expect(alias).toMatch(/^[a-z0-9_]{1,32}$/);
            expect(taken.has(alias)).toBe(false);
            expect(['ts', 'id']).not.toContain(alias);
            expect(alias.endsWith('_quality')).toBe(false);
            taken.add(alias);
          });
        },
      ),
    );
  });
});

describe('base topic', () => {
  it.each(['', '$SYS', 'a/+', 'a/#', '/a', 'a/', 'a//b', 'a\u0000', 'a\nb', '\ud800', 'x'.repeat(129)])(
    'refuses %j',
    (base) => {
      expect(baseProblem(base)).toBeTypeOf('string');
      expect(() => new Topics(base)).toThrow(RangeError);
    },
  );

  it.each(['bytes2mqtt', 'home/bytes2mqtt', 'küche'])('takes %j', (base) => {
    expect(baseProblem(base)).toBeUndefined();
  });
});

describe('incoming topics', () => {
  const topics = new Topics('home/b2m');

  it.each([
    ['home/b2m/greenhouse/set', { kind: 'set', device: 'greenhouse' }],
    ['home/b2m/greenhouse/set/relay_1', { kind: 'set-channel', device: 'greenhouse', channel: 'relay_1' }],
    ['home/b2m/bridge/request/ping', { kind: 'request', name: 'ping' }],
    ['home/b2m/greenhouse/availability', { kind: 'availability', device: 'greenhouse' }],
  ])('reads %s', (topic, meaning) => {
    expect(topics.parse(topic)).toEqual(meaning);
  });

  it.each([
    'home/b2m',
    'home/b2m/greenhouse',
    'home/b2mx/greenhouse/set',
    'home/b2m/Greenhouse/set',
    'home/b2m//set',
    'home/b2m/../set',
    'home/b2m/greenhouse/set/',
    'home/b2m/greenhouse/set/a/b',
    'home/b2m/greenhouse/set/a/b/c',
    'home/b2m/greenhouse/get',
    'home/b2m/bridge/set',
    'home/b2m/bridge/availability',
    'home/b2m/bridge/request',
    'home/b2m/bridge/request/a/b',
    'home/b2m/greenhouse/availability/x',
  ])('leaves %s alone', (topic) => {
    expect(topics.parse(topic)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void topics.parse(`home/b2m/${text}`)));
  });

  it('reserves the level of the gateway', () => {
    expect(isDeviceAlias('bridge')).toBe(false);
    expect(isDeviceAlias('bridge2')).toBe(true);
    expect(isDeviceAlias('a/b')).toBe(false);
  });
});
