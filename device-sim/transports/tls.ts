/** Over TLS: the stream of TCP, encrypted; at least TLS 1.2. */
import { connect } from 'node:tls';
import { StreamSocket } from './stream-socket.ts';
import type { Transport } from './transport.ts';

/** Contents of PEM files. */
export interface TlsOptions {
  /** Whom to trust. Undefined: the gateway's certificate is not checked. */
  readonly ca?: Buffer | undefined;
  /** The device's own certificate and its key. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

export function tls(host: string, port: number, { ca, cert, key }: TlsOptions): Transport {
  return new StreamSocket('tcp', () => {
    const own = cert !== undefined && key !== undefined ? { cert, key } : {};
    const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
    const socket = connect({ host, port, minVersion: 'TLSv1.2', ...trust, ...own });
    socket.setNoDelay(true);
    return socket;
  });
}
