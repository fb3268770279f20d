/** `HOST:PORT` as configuration files and people write it; IPv6 in brackets: `[::]:2883`. */
import { isIPv6 } from 'node:net';

export interface Address {
  /** Name or IP address, without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

export type ParsedAddress = { ok: true; address: Address } | { ok: false; message: string };

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$/;
const DOTTED_DIGITS = /^[0-9.]+$/;

/** What is wrong is told without repeating the text: it may have come from a secret. */
export function parseAddress(text: string): ParsedAddress {
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (parts === null) {
    if (isIPv6(text)) return wrong('an IPv6 address needs brackets and a port, for example "[::]:2883"');
    if (/^\d+$/.test(text)) return wrong(`expected HOST:PORT, for example "0.0.0.0:${text}"`);
    if (/^[^:\s]+$/.test(text)) return wrong('the port is missing: expected HOST:PORT, for example "0.0.0.0:2883"');
    return wrong('expected HOST:PORT, for example "0.0.0.0:2883" or "[::]:2883"');
  }
  const [, bracketed, plain, digits] = parts;
  const port = Number(digits);
  if (port > 65_535) return wrong('the port must be a number from 0 to 65535');
  if (bracketed !== undefined) {
    if (!isIPv6(bracketed)) return wrong('what is in the brackets is not an IPv6 address');
    return { ok: true, address: { host: bracketed, port } };
  }
  const host = plain ?? '';
  if (host === '') return wrong(`the host is missing: for all addresses of this machine write "0.0.0.0:${port}"`);
  if (DOTTED_DIGITS.test(host) && !isIPv4(host)) return wrong('the host is not an IPv4 address');
  if (!HOST_NAME.test(host)) return wrong('the host is neither a name nor an IP address');
  return { ok: true, address: { host, port } };
}

export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/**
 * Whether two listeners of one transport would take each other's place: the same port, and the same host or one of
 * them all hosts. `[::]` also takes IPv4 (dual stack), `0.0.0.0` only IPv4.
 */
export function overlaps(a: Address, b: Address): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  const [first, second] = [canonical(a.host), canonical(b.host)];
  if (first === second || first === '::' || second === '::') return true;
  if (first === '0.0.0.0') return !second.includes(':');
  return second === '0.0.0.0' && !first.includes(':');
}

function isIPv4(host: string): boolean {
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** One spelling a host; the URL parser knows the short form of IPv6. */
function canonical(host: string): string {
  const lower = host.toLowerCase();
  if (lower === 'localhost') return '127.0.0.1';
  if (!isIPv6(lower)) return lower;
  return URL.canParse(`http://[${lower}]`) ? new URL(`http://[${lower}]`).hostname.slice(1, -1) : lower;
}

function wrong(message: string): ParsedAddress {
  return { ok: false, message };
}
