/**
 * `time` (RFC 868): the seconds since 1900-01-01 00:00 UTC, then the close; over UDP to any datagram of three bytes or
 * more. RFC 868 has the client send an empty one, but to answer that with four bytes would serve whoever forges senders.
 *
 * ```
 *   0       1       2       3       4
 *   ┌───────┬───────┬───────┬───────┐
 *   │ seconds since 1900, u32 big-endian
 *   └───────┴───────┴───────┴───────┘
 * ```
 *
 * Not wrapped for a browser: four raw bytes are the point of it.
 */
import { ByteWriter } from '../../../protocol/index.ts';
import type { StreamService } from './service-stream.ts';

/** From 1900-01-01 to 1970-01-01, seventeen leap days included. */
const SECONDS_1900_TO_1970 = (70 * 365 + 17) * 86_400;

export function timeStream(): StreamService {
  return {
    onStart: (stream) => {
      stream.send(encodeTime(Date.now()));
      stream.finish();
    },
    onBytes: () => undefined,
    onEnd: (stream) => stream.finish(),
  };
}

/** Four bytes whatever the request; to one of less than three bytes they do not go out. */
export function timeDatagram(): Uint8Array {
  return encodeTime(Date.now());
}

/**
 * The four bytes for Unix milliseconds. They count modulo 2^32 and start again at 0 on 2036-02-07 06:28:16 UTC; the
 * client knows the era, we just let the upper bits go.
 */
export function encodeTime(unixMs: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u32((Math.floor(unixMs / 1000) + SECONDS_1900_TO_1970) % 2 ** 32);
  return writer.finish();
}
