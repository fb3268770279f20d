/** Over TCP: a stream, `COBS(frame) 00`. */
import { StreamSocket } from './stream-socket.ts';
import type { Transport } from './transport.ts';

export function tcp(host: string, port: number): Transport {
  // A device sends a small frame and waits for its ACK: Nagle's algorithm would hold the second one back.
  return new StreamSocket('tcp', { host, port, noDelay: true });
}
