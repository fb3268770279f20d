/** Addresses as people write and read them. */

const IPV4_IN_IPV6 = '::ffff:';

/** `192.168.1.7:50122`, `[fe80::1]:2883`; an IPv4 peer of a dual-stack listener is shown as IPv4. */
export function hostPort(host: string, port: number): string {
  const shown = host.startsWith(IPV4_IN_IPV6) && host.includes('.') ? host.slice(IPV4_IN_IPV6.length) : host;
  return shown.includes(':') ? `[${shown}]:${port}` : `${shown}:${port}`;
}

/** The way back: `192.168.1.7:50122` → `192.168.1.7`. What has no port is returned as it is. */
export function hostOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  if (colon === -1) return peer;
  return peer.startsWith('[') ? peer.slice(1, colon - 1) : peer.slice(0, colon);
}
