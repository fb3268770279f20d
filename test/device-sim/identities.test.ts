import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { parseId, parseIdentities, parseKey } from '../../device-sim/identities.ts';

const HEX = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
const BASE64 = Buffer.from(HEX, 'hex').toString('base64');
const key = Uint8Array.from(Buffer.from(HEX, 'hex'));

test('a key is hex or base64', () => {
  for (const text of [HEX, HEX.toUpperCase(), BASE64, BASE64.replace('=', '')]) expect(parseKey(text)).toEqual(key);
  for (const text of ['', HEX.slice(1), `${HEX}0`, `${BASE64}=`, 'g'.repeat(64)]) {
    expect(() => parseKey(text)).toThrow(InvalidArgumentError);
  }
});

test('what is wrong with a key is told without the key', () => {
  const almost = `${HEX.slice(0, -1)}x`;
  expect(() => parseIdentities(`1: ${almost}`)).toThrow(/^Line 1: (?!.*0001020304).*64 hex digits/);
});

test('an id is hex, and not 0', () => {
  expect(parseId('a1B2')).toBe(0xa1b2n);
  for (const text of ['', '0', '1'.repeat(17), '0x1', '-1']) expect(() => parseId(text)).toThrow(InvalidArgumentError);
});

describe('a key file', () => {
  test('has an id and a key a line', () => {
    const text = `# all of them\n\na1b2c3d4e5f60718: ${HEX}\r\n  2 :${BASE64}   # the second\n3\n`;
    expect(parseIdentities(text)).toEqual([{ id: 0xa1b2c3d4e5f60718n, key }, { id: 2n, key }, { id: 3n }]);
  });

  test.each([
    ['an unknown id', `zz: ${HEX}`],
    ['no key behind the colon', '2:'],
    ['too much', `2: ${HEX}: 3`],
    ['an id twice', `\n2: ${HEX}\n02: ${HEX}`],
  ])('with %s is refused by its line', (_, text) => {
    const line = text.trimEnd().split('\n').length;
    expect(() => parseIdentities(text)).toThrow(new RegExp(`^Line ${line}: `));
  });
});
