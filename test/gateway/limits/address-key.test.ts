import { isIPv4 } from 'node:net';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { addressKey } from '../../../gateway/limits/address-key.ts';
import { hostOf, hostPort } from '../../../gateway/sources/address.ts';

it.each([
  ['192.168.1.7', '192.168.1.7'],
  ['::ffff:192.168.1.7', '192.168.1.7'],
  ['::FFFF:192.168.1.7', '192.168.1.7'],
  ['2001:db8:0:1::5', '2001:db8:0:1::/64'],
  ['2001:db8:0:1:1:2:3:4', '2001:db8:0:1::/64'],
  ['2001:db8::1:2:3:4', '2001:db8:0:0::/64'],
  ['2001:DB8:00:0001::', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
  ['1:2:3:4:5:6:192.0.2.33', '1:2:3:4::/64'],
  ['gone', 'gone'],
  ['unix#7', 'unix#7'],
])('%s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

it('all addresses of a /64 are one, those of two are two', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), (a, b) => {
      fc.pre(!prefix(a).startsWith('[::ffff:') && !prefix(b).startsWith('[::ffff:'));
      expect(addressKey(a) === addressKey(b)).toBe(groups(prefix(a)) === groups(prefix(b)));
    }),
  );
});

/** The address as WHATWG URLs write it, in brackets. */
function prefix(address: string): string {
  return new URL(`http://[${address}]`).hostname;
}

/** The first four groups of an address as WHATWG URLs write it: compressed, lower case, never dotted. */
function groups(hostname: string): string {
  const [head = '', tail] = hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
}

it('the host of what hostPort has written comes back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      fc.pre(isIPv4(host) || !host.toLowerCase().startsWith('::ffff:'));
      expect(hostOf(hostPort(host, port))).toBe(host);
    }),
  );
  expect(hostOf('unix#3')).toBe('unix#3');
  expect(hostOf('/dev/ttyUSB0')).toBe('/dev/ttyUSB0');
});
