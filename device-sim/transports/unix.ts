/** Over a Unix-domain socket: a stream, `COBS(frame) 00`. */
import { StreamSocket } from './stream-socket.ts';
import type { Transport } from './transport.ts';

export function unix(path: string): Transport {
  return new StreamSocket('unix', { path });
}
