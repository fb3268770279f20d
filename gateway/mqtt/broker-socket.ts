/** The socket to the broker: plain TCP or TLS. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

export interface BrokerAddress {
  readonly tls: boolean;
  readonly host: string;
  readonly port: number;
}

export interface BrokerTlsOptions {
  /** PEM; instead of the authorities that Node trusts. */
  readonly ca?: Buffer | string;
  /** PEM of the client certificate and its key. */
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  /** Default true. False accepts any certificate: encrypted, but anybody may sit in between. */
  readonly rejectUnauthorized?: boolean;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'mqtt:': 1883,
  'tcp:': 1883,
  'mqtts:': 8883,
  'tls:': 8883,
  'ssl:': 8883,
};

/**
 * `mqtt://host[:port]` (also `tcp:`) or `mqtts://host[:port]` (also `tls:`, `ssl:`); IPv6 addresses in brackets.
 * Undefined when it is no such URL; a user or a path in it is not read.
 */
export function parseBrokerUrl(url: string): BrokerAddress | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port } = new URL(url);
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined || hostname === '') return undefined;
  return {
    tls: defaultPort === 8883,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? defaultPort : Number(port),
  };
}

/** Starts connecting; what goes wrong arrives as the socket's `error`. */
export function openBrokerSocket(address: BrokerAddress, tls: BrokerTlsOptions): Socket {
  const { host, port } = address;
  if (!address.tls) return connectTcp({ host, port, noDelay: true });
  const options: ConnectionOptions = {
    host,
    port,
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
    // An IP address must not be sent as a server name (RFC 6066 section 3).
    ...(isIP(host) === 0 && { servername: host }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
  };
  return connectTls(options).setNoDelay(true);
}
