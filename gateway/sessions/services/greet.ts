/** `greet`: says one line, which names the peer as the gateway sees it, and closes. */
import { hostPort } from '../../sources/address.ts';
import type { Datagram } from '../../sources/source.ts';
import { withHttpCourtesy } from './http-courtesy.ts';
import type { StreamService } from './service-stream.ts';

export function greetStream(peer: string): StreamService {
  return withHttpCourtesy(
    {
      onStart: (stream) => {
        stream.send(greeting(peer));
        stream.finish();
      },
      onBytes: () => undefined,
      onEnd: (stream) => stream.finish(),
    },
    () => greeting(peer),
  );
}

/** As much of the line as one and a half times the request allows; to an empty request an empty answer. */
export function greetDatagram(request: Datagram): Uint8Array {
  return greeting(hostPort(request.peer.address, request.peer.port)).subarray(
    0,
    Math.floor(request.bytes.length * 1.5),
  );
}

function greeting(peer: string): Uint8Array {
  return new TextEncoder().encode(`Hello from bytes2mqtt. You are ${peer}.\r\n`);
}
