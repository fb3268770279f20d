/** `echo` (RFC 862): returns every byte, in order, also those that a half-closed peer still waits for. */
import type { Datagram } from '../../sources/source.ts';
import { withHttpCourtesy } from './http-courtesy.ts';
import type { StreamService } from './service-stream.ts';

export function echoStream(): StreamService {
  return withHttpCourtesy(
    {
      onBytes: (bytes, stream) => stream.send(bytes),
      onEnd: (stream) => stream.finish(),
    },
    (head) => head,
  );
}

export function echoDatagram(request: Datagram): Uint8Array {
  return request.bytes;
}
