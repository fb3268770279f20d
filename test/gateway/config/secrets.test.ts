import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../../gateway/config/problem.ts';
import type { LoadResult } from '../../../gateway/config/load.ts';
import { loadText } from '../../helpers/config-folder.ts';

const FILE = 'mqtt:\n  url: mqtt://a\n  username: me\n  password: !secret broker-1\n';
const SECRET = 'hunter2';

function everythingTold(loaded: LoadResult): string {
  const problems = loaded.ok ? [] : loaded.problems;
  return [...problems, ...loaded.warnings]
    .map((problem) => formatProblem(problem) + JSON.stringify(problem))
    .join('\n');
}

describe('!secret', () => {
  it('is looked up in secrets.yaml', () => {
    const loaded = loadText(FILE, {}, { 'secrets.yaml': `broker-1: ${SECRET}\n` });
    expect(loaded.ok && loaded.config.mqtt.password).toBe(SECRET);
  });

  it('is looked up in the environment first, which needs no file', () => {
    const env = { BYTES2MQTT_SECRET_BROKER_1: SECRET };
    for (const files of [{}, { 'secrets.yaml': 'broker-1: other\n' }] as Record<string, string>[]) {
      const loaded = loadText(FILE, env, files);
      expect(loaded.ok && loaded.config.mqtt.password).toBe(SECRET);
    }
  });

  it('is not needed when the environment sets the key itself', () => {
    const loaded = loadText(FILE, { BYTES2MQTT_MQTT_PASSWORD: SECRET });
    expect(loaded.ok && loaded.config.mqtt.password).toBe(SECRET);
  });

  it.each<[string, Record<string, string>, string]>([
    ['no file', {}, 'SECRET_MISSING'],
    ['not in the file', { 'secrets.yaml': 'other: x\n' }, 'SECRET_MISSING'],
    ['without a value', { 'secrets.yaml': 'broker-1:\n' }, 'SECRET_MISSING'],
    ['file is no map', { 'secrets.yaml': '- broker-1\n' }, 'SECRET_MISSING'],
    ['file is broken', { 'secrets.yaml': `broker-1: "${SECRET}\n` }, 'SECRET_MISSING'],
    ['a number', { 'secrets.yaml': 'broker-1: 1234\n' }, 'CONFIG_INVALID'],
  ])('missing is told once, at its line: %s', (_, files, code) => {
    const loaded = loadText(FILE, {}, files);
    expect(loaded.ok ? [] : loaded.problems).toMatchObject([{ code, path: 'mqtt.password', line: 4 }]);
    expect(everythingTold(loaded)).not.toContain(SECRET);
  });

  it('is refused where the value would be shown', () => {
    const loaded = loadText('mqtt: { base: !secret b }\nsources:\n  - tcp: !secret b\n', {
      BYTES2MQTT_SECRET_B: SECRET,
    });
    expect(loaded.ok ? [] : loaded.problems.map(({ path }) => path)).toEqual(['mqtt.base', 'sources[0].tcp']);
    expect(everythingTold(loaded)).not.toContain(SECRET);
  });

  it('refuses a strange name', () => {
    const loaded = loadText('mqtt: { username: a, password: !secret "../x" }\n');
    expect(loaded.ok ? [] : loaded.problems).toMatchObject([{ code: 'CONFIG_INVALID', path: 'mqtt.password' }]);
  });
});

describe('what is secret is never told', () => {
  it.each([
    `mqtt: { username: a, password: [${SECRET}] }`,
    `mqtt: { username: ${SECRET}, foo: 1, password: { a: ${SECRET} } }`,
    `mqtt: ${SECRET}`,
    `mqtt: { url: "mqtt://me:${SECRET}@broker" }`,
    `mqtt: { url: "mqtt://me:${SECRET}/@broker" }`,
    `mqtt: { pasword: ${SECRET} }`,
    `mqtt:\n  password: *${SECRET}`,
    `mqtt:\n  password: !${SECRET}`,
    `mqtt:\n  password: %${SECRET}`,
    `mqtt:\n  password: "${SECRET}`,
    `mqtt:\n  password: "\\q${SECRET}"`,
    `mqtt:\n  password: a: ${SECRET}`,
    `mqtt:\n  password: @${SECRET}`,
    `mqtt:\n  password: [${SECRET}`,
    `mqtt:\n  password: &${SECRET}`,
  ])('%j', (text) => {
    const loaded = loadText(text);
    expect(loaded.ok).toBe(false);
    expect(everythingTold(loaded)).not.toContain(SECRET);
  });

  it('from the environment neither', () => {
    const loaded = loadText('', { BYTES2MQTT_MQTT_PASSWORD: SECRET, BYTES2MQTT_MQTT_PASSWRD: SECRET });
    expect(loaded.ok).toBe(false);
    expect(everythingTold(loaded)).not.toContain(SECRET);
  });
});
