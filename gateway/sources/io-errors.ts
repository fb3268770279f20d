/** What the operating system says, told as a GatewayError: the code by errno, and what would be right. */
import { type ErrorCode, GatewayError } from '../errors.ts';

/** The errno name of a failure (`EADDRINUSE`), or '' when it has none. */
export function errnoOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** One line about a failure. The AggregateError of a name with several addresses has no message of its own. */
function textOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(textOf).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}

/** Why a listener or a datagram socket could not be opened; `address` is `host:port` or a path. */
export function listenError(where: string, address: string, cause: unknown): GatewayError {
  const [code, detail] = explainListen(address, errnoOf(cause), cause);
  return new GatewayError(code, where, detail, { cause });
}

function explainListen(address: string, errno: string, cause: unknown): [ErrorCode, string] {
  switch (errno) {
    case 'EADDRINUSE':
      return ['ADDRESS_IN_USE', `${address} is taken; stop the other program or configure another port`];
    case 'EADDRNOTAVAIL':
      return [
        'ADDRESS_UNAVAILABLE',
        `${address} is not an address of this machine; use one of its own, or 0.0.0.0 (IPv4) or [::] (IPv6) for all`,
      ];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['ADDRESS_UNAVAILABLE', `the name in ${address} is unknown; use an address of this machine`];
    case 'EAFNOSUPPORT':
      return ['ADDRESS_UNAVAILABLE', `${address}: this machine has no such address family; IPv6 may be switched off`];
    case 'EACCES':
    case 'EPERM':
      return ['PERMISSION_DENIED', `${address} is not allowed; ports below 1024 need privileges, so use a higher one`];
    case 'ENOENT':
      return ['ADDRESS_UNAVAILABLE', `the folder of ${address} does not exist; create it or configure another path`];
    default:
      return ['IO_ERROR', `${address}: ${textOf(cause)}`];
  }
}

/** Why an outgoing connection could not be made. */
export function connectError(where: string, address: string, cause: unknown): GatewayError {
  const errno = errnoOf(cause);
  const detail =
    errno === 'ECONNREFUSED'
      ? `${address} refused the connection; is its program running, and is the port right?`
      : errno === 'ENOTFOUND' || errno === 'EAI_AGAIN'
        ? `the name in ${address} is unknown; check its spelling and the name server`
        : `${address} cannot be reached: ${textOf(cause)}`;
  return new GatewayError('CONNECT_FAILED', where, detail, { cause });
}

/** Why a connection that stood has died. */
export function streamError(where: string, cause: unknown): GatewayError {
  switch (errnoOf(cause)) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return new GatewayError('PEER_RESET', where, undefined, { cause });
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new GatewayError('PEER_SILENT', where, 'the peer no longer answers', { cause });
    default:
      return new GatewayError('IO_ERROR', where, textOf(cause), { cause });
  }
}

/** Why a serial device could not be opened. The binding tells it in words, so errno only helps for the checks before. */
export function serialOpenError(where: string, path: string, cause: unknown): GatewayError {
  const text = textOf(cause);
  const errno = errnoOf(cause);
  const is = (name: string, pattern: RegExp) => errno === name || pattern.test(text);
  if (is('ENOENT', /no such (file|device)/i) || is('ENXIO', /device not configured/i) || errno === 'ENODEV') {
    return new GatewayError(
      'DEVICE_MISSING',
      where,
      `${path} does not exist; plug the device in, or see what is there with: bytes2mqtt ports`,
      { cause },
    );
  }
  if (is('EACCES', /permission denied/i) || is('EPERM', /operation not permitted|access denied/i)) {
    return new GatewayError(
      'PERMISSION_DENIED',
      where,
      `${path} may not be opened by this user; add it to the group that owns the device (often dialout)`,
      { cause },
    );
  }
  if (is('EBUSY', /cannot lock port|resource busy/i)) {
    return new GatewayError('DEVICE_BUSY', where, `${path} is in use; stop the other program that has it open`, {
      cause,
    });
  }
  return new GatewayError('IO_ERROR', where, `${path}: ${text}`, { cause });
}
