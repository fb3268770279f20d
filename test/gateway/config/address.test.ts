import { describe, expect, it } from 'vitest';
import { formatAddress, overlaps, parseAddress } from '../../../gateway/config/address.ts';
import type { Address } from '../../../gateway/config/address.ts';

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.address;
}

describe('HOST:PORT', () => {
  it.each([
    ['0.0.0.0:2883', '0.0.0.0', 2883],
    ['localhost:0', 'localhost', 0],
    ['a-b.c_d.example.:65535', 'a-b.c_d.example.', 65_535],
    ['[::]:1', '::', 1],
    ['[fe80::1]:1', 'fe80::1', 1],
  ])('%s', (text, host, port) => {
    const parsed = parseAddress(text);
    expect(parsed).toEqual({ ok: true, address: { host, port } });
    expect(parsed.ok && formatAddress(parsed.address)).toBe(text);
  });

  it.each([
    '',
    ':',
    '2883',
    ':2883',
    'a',
    'a:',
    'a:x',
    'a:-1',
    'a:65536',
    'a:123456',
    'a:1:2',
    '::1',
    '::1:80',
    '[::1]',
    '[::g]:1',
    '[127.0.0.1]:1',
    '1.2.3:1',
    '1.2.3.256:1',
    '1.2.3.4.5:1',
    '01.2.3.4:1',
    'a b:1',
    '-a:1',
    'a..b:1',
    'a/b:1',
    ' a:1',
    'a:1\n',
    `${'a'.repeat(64)}:1`,
    'ü:1',
  ])('refuses %j', (text) => {
    expect(parseAddress(text).ok).toBe(false);
  });
});

describe('two listeners', () => {
  it.each([
    ['127.0.0.1:1', '127.0.0.1:1', true],
    ['127.0.0.1:1', '127.0.0.1:2', false],
    ['127.0.0.1:1', '127.0.0.2:1', false],
    ['127.0.0.1:0', '127.0.0.1:0', false],
    ['localhost:1', '127.0.0.1:1', true],
    ['0.0.0.0:1', '127.0.0.1:1', true],
    ['0.0.0.0:1', '[::1]:1', false],
    ['[::]:1', '[::1]:1', true],
    ['[::]:1', '0.0.0.0:1', true],
    ['[::]:1', '10.0.0.1:1', true],
    ['[0:0:0:0:0:0:0:1]:1', '[::1]:1', true],
    ['Example:1', 'example:1', true],
  ])('%s and %s', (a, b, expected) => {
    expect(overlaps(address(a), address(b))).toBe(expected);
    expect(overlaps(address(b), address(a))).toBe(expected);
  });
});
