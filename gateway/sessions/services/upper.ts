/** `upper`: returns text in upper case, which tells a server that thinks from a wire that loops back. */
import type { Datagram } from '../../sources/source.ts';
import { withHttpCourtesy } from './http-courtesy.ts';
import type { StreamService } from './service-stream.ts';

const SMALL_A = 0x61;
const SMALL_Z = 0x7a;
const CASE_BIT = 0x20;

export function upperStream(): StreamService {
  return withHttpCourtesy(
    {
      onBytes: (bytes, stream) => stream.send(upperCase(bytes)),
      onEnd: (stream) => stream.finish(),
    },
    upperCase,
  );
}

export function upperDatagram(request: Datagram): Uint8Array {
  return upperCase(request.bytes);
}

/**
 * ASCII a–z in upper case, all other bytes as they are, so the length stays. It needs no idea of characters: in UTF-8
 * every byte of a character beyond ASCII is 0x80 or more (RFC 3629, section 3), so one that a recv has cut in half is
 * never touched, and its halves meet again unchanged at the peer.
 */
export function upperCase(bytes: Uint8Array): Uint8Array {
  const upper = new Uint8Array(bytes);
  for (let at = 0; at < upper.length; at += 1) {
    const byte = upper[at] as number;
    if (byte >= SMALL_A && byte <= SMALL_Z) upper[at] = byte & ~CASE_BIT;
  }
  return upper;
}
