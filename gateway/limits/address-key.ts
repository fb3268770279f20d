/**
 * What limits "by address" count by: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address of a /64
 * has all of them (RFC 4291, section 2.5.1).
 *
 * ```
 *   192.168.1.7            → 192.168.1.7
 *   ::ffff:192.168.1.7     → 192.168.1.7       IPv4 on a dual-stack socket (RFC 4291, section 2.5.5.2)
 *   2001:db8:0:1::5        → 2001:db8:0:1::/64
 *   fe80::1%eth0           → fe80:0:0:0::/64
 * ```
 */
const GROUPS_OF_64_BITS = 4;
const GROUPS = 8;

/** `address` is numeric, as sockets tell it; anything else counts by itself. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const zone = address.indexOf('%');
  const plain = (zone === -1 ? address : address.slice(0, zone)).toLowerCase();
  const last = plain.slice(plain.lastIndexOf(':') + 1);
  if (last.includes('.') && plain.startsWith('::ffff:')) return last;
  const gap = plain.indexOf('::');
  const head = (gap === -1 ? plain : plain.slice(0, gap)).split(':').filter((group) => group !== '');
  const tail = (gap === -1 ? '' : plain.slice(gap + 2)).split(':').filter((group) => group !== '');
  // A dotted end is two groups; only the first four groups matter here.
  const missing = Math.max(0, GROUPS - head.length - tail.length - (last.includes('.') ? 1 : 0));
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail].slice(0, GROUPS_OF_64_BITS);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}
