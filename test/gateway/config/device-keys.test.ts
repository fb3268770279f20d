import { describe, expect, it } from 'vitest';
import { newDeviceKey, parseDeviceKey } from '../../../gateway/config/device-key.ts';
import type { LoadResult } from '../../../gateway/config/load.ts';
import { isLoopback } from '../../../gateway/config/plain.ts';
import { formatProblem } from '../../../gateway/config/problem.ts';
import { loadText } from '../../helpers/config-folder.ts';

const ID = 'a1b2c3d4e5f60718';
const OTHER = 'a1b2c3d4e5f60719';
const HEX = '00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210';
const BASE64 = Buffer.from(HEX, 'hex').toString('base64');
const OUTSIDE = 'sources:\n  - tcp: 0.0.0.0:2883\n';

function keyOf(loaded: LoadResult, id = ID): string | undefined {
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  const key = loaded.config.devices.get(id)?.key;
  return key && Buffer.from(key).toString('hex');
}

function told(loaded: LoadResult): string[] {
  const problems = loaded.ok ? [] : loaded.problems;
  return [...problems, ...loaded.warnings].map(({ code, path, line }) => `${code} ${path} ${line}`);
}

describe('the key of a device', () => {
  it.each([
    ['hex', HEX],
    ['hex in capitals', HEX.toUpperCase()],
    ['base64', BASE64],
    ['base64 without padding', BASE64.replace('=', '')],
  ])('is written in %s', (_, text) => {
    expect(keyOf(loadText(`devices: { ${ID}: { key: "${text}" } }`))).toBe(HEX);
  });

  it('comes from secrets.yaml or the environment', () => {
    const file = `devices: { ${ID}: { key: !secret greenhouse } }`;
    expect(keyOf(loadText(file, {}, { 'secrets.yaml': `greenhouse: ${HEX}\n` }))).toBe(HEX);
    expect(keyOf(loadText(file, { BYTES2MQTT_SECRET_GREENHOUSE: BASE64 }))).toBe(HEX);
    expect(keyOf(loadText('', { [`BYTES2MQTT_DEVICES_${ID.toUpperCase()}_KEY`]: HEX }))).toBe(HEX);
  });

  it('may be all digits in a secret, if in quotes', () => {
    const digits = '0123456789'.repeat(6) + '0123';
    const files = { 'secrets.yaml': `"1122334455667788": "${digits}"\n` };
    const loaded = loadText('devices: { 1122334455667788: { key: !secret 1122334455667788 } }', {}, files);
    expect(keyOf(loaded, '1122334455667788')).toBe(digits);
  });

  it.each([
    ['too short', HEX.slice(2)],
    ['an odd letter', `g${HEX.slice(1)}`],
    ['31 bytes in base64', Buffer.from(HEX, 'hex').subarray(1).toString('base64')],
    ['zeros', '0'.repeat(64)],
    ['one byte again and again', 'Qk'.repeat(32)],
    ['no text', ''],
    ['the documentation’s word', 'YOUR_KEY_HERE'],
  ])('is refused when it is %s, and never repeated', (_, text) => {
    const loaded = loadText(`devices:\n  ${ID}:\n    key: "${text}"\n`);
    expect(told(loaded)).toEqual([`CONFIG_INVALID devices.${ID}.key 3`]);
    const messages = loaded.ok
      ? ''
      : loaded.problems.map((problem) => formatProblem(problem) + JSON.stringify(problem));
    if (text !== '') expect(messages.toString()).not.toContain(text);
  });

  it('excludes plain', () => {
    expect(told(loadText(`devices:\n  ${ID}:\n    key: ${HEX}\n    plain: true\n`))).toEqual([
      `CONFIG_CONFLICT devices.${ID}.plain 4`,
    ]);
  });

  it('is better not shared', () => {
    const loaded = loadText(`devices:\n  ${ID}: { key: ${HEX} }\n  ${OTHER}: { key: "${BASE64}" }\n`);
    expect(loaded.ok).toBe(true);
    expect(told(loaded)).toEqual([`CONFIG_CONFLICT devices.${OTHER}.key 3`]);
  });

  it('is made at random', () => {
    const keys = Array.from({ length: 20 }, newDeviceKey);
    expect(new Set(keys).size).toBe(20);
    for (const key of keys) expect(parseDeviceKey(key).ok).toBe(true);
  });
});

describe('plain', () => {
  it.each([
    ['tcp: 127.0.0.1:1', true],
    ['tcp: localhost:1', true],
    ['udp: "[::1]:1"', true],
    ['unix: a.sock', true],
    ['serial: /dev/ttyUSB0', true],
    ['connect: 192.168.1.50:8899', true],
    ['tcp: 0.0.0.0:1', false],
    ['udp: 0.0.0.0:1', false],
    ['tcp: "[::]:1"', false],
    ['tcp: 192.168.1.2:1', false],
    ['udp: greenhouse.local:1', false],
    ['{ tcp: "0.0.0.0:1", plain: true }', true],
    ['{ tcp: "127.0.0.1:1", plain: false }', false],
    ['{ serial: /dev/ttyUSB0, plain: false }', false],
  ])('at %s: %s', (source, plain) => {
    const loaded = loadText(`sources:\n  - ${source}\n`);
    expect(loaded.ok && loaded.config.sources[0]?.plain).toBe(plain);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['LOCALHOST', true],
    ['::1', true],
    ['0:0:0:0:0:0:0:1', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:10.0.0.1', false],
    ['::', false],
    ['0.0.0.0', false],
    ['127.0.0.1.example.org', false],
    ['localhost.example.org', false],
    ['fe80::1', false],
  ])('loopback %s: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });

  it.each<[string, string, string[]]>([
    ['a listener that everybody reaches', `${OUTSIDE}    plain: true\n`, ['PLAIN_ALLOWED sources[0].plain 3']],
    [
      'a device, when everybody may be it',
      `${OUTSIDE}devices:\n  ${ID}:\n    plain: true\n`,
      [`PLAIN_ALLOWED devices.${ID}.plain 5`],
    ],
    ['not a device that only comes from here', `devices: { ${ID}: { plain: true } }\n`, []],
    ['not a loopback listener', 'sources:\n  - tcp: 127.0.0.1:1\n    plain: true\n', []],
    ['nobody has a key', OUTSIDE, ['CONFIG_CONFLICT sources[0].tcp 2']],
    [
      'a device without a key that no source lets in',
      `${OUTSIDE}devices:\n  ${ID}: {}\n  ${OTHER}: { key: ${HEX} }\n`,
      [`CONFIG_CONFLICT devices.${ID} 4`],
    ],
    [
      'not a device that another source lets in',
      `${OUTSIDE}  - serial: /dev/a\ndevices:\n  ${ID}: {}\n  ${OTHER}: { key: ${HEX} }\n`,
      [],
    ],
    ['all have a key', `${OUTSIDE}devices: { ${ID}: { key: ${HEX} } }\n`, []],
    [
      'on a service',
      `sources:\n  - tcp: 0.0.0.0:1\n    service: echo\n    plain: false\n`,
      ['CONFIG_CONFLICT sources[0].plain 4'],
    ],
  ])('is told at the start: %s', (_, text, expected) => {
    const loaded = loadText(text);
    expect(loaded.ok).toBe(true);
    expect(told(loaded)).toEqual(expected);
  });

  it.each<[string, string, string, string[]]>([
    [
      'of a device that is not in the configuration',
      OUTSIDE,
      `${ID}: ${HEX}\n`,
      [
        'sources[0].tcp: only devices with a key are let in here, and none has one',
        `devices: secrets.yaml has a key ${ID}, but nothing uses it: add "${ID}: { key: !secret ${ID} }" below "devices:"`,
      ],
    ],
    [
      'of a device that is called by its alias',
      `${OUTSIDE}devices:\n  ${ID.toUpperCase()}: { alias: shed }\n  ${OTHER}: { key: ${HEX.replace('0', '1')} }\n`,
      `shed: ${HEX}\n`,
      [`devices.${ID.toUpperCase()}: secrets.yaml has a key shed, but nothing uses it: add "key: !secret shed" here`],
    ],
    ['but not one that is used', `devices: { ${ID}: { key: !secret shed, alias: shed } }\n`, `shed: ${HEX}\n`, []],
    ['but not one of a device that needs none', `devices: { ${ID}: { plain: true } }\n`, `${ID}: ${HEX}\n`, []],
    [
      'but nothing that is no key, or nobody’s',
      OUTSIDE + '    plain: true\n',
      `mqtt: x\nshed: ${HEX}\n`,
      ['sources[0].plain'],
    ],
  ])('a key in secrets.yaml that nothing uses is told: %s', (_, text, secrets, expected) => {
    const { warnings } = loadText(text, {}, { 'secrets.yaml': secrets });
    const said = warnings.map(({ path, message }) => `${path}: ${message}`);
    expect(said).toHaveLength(expected.length);
    for (const [n, start] of expected.entries()) expect(said[n]?.slice(0, start.length)).toBe(start);
    expect(said.join()).not.toContain('key new');
  });
});
