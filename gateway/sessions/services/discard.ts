/** `discard` (RFC 863): reads, counts and drops; never says a byte. */
import type { StreamService } from './service-stream.ts';

export function discardStream(): StreamService {
  return {
    onBytes: () => undefined,
    onEnd: (stream) => stream.finish(),
  };
}

export function discardDatagram(): undefined {
  return undefined;
}
