/** Addresses as people write and read them. */

const IPV4_IN_IPV6 = '::ffff:';

/** `192.168.1.7:50122`, `[fe80::1]:2883`; an IPv4 peer of a dual-stack listener is shown as IPv4. */
export function hostPort(host: string, port: number): string {
  const shown = host.startsWith(IPV4_IN_IPV6) && host.includes('.') ? host.slice(IPV4_IN_IPV6.length) : host;
  return shown.includes(':') ? `[${shown}]:${port}` : `${shown}:${port}`;
}
