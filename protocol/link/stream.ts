/**
 * Link frames on a stream (TCP, Unix socket, serial line).
 *
 * ```
 *   COBS(frame) 00 COBS(frame) 00 …
 * ```
 */
import { cobsDecoder, encodeCobsInto, maxCobsLength } from '../framing/cobs.ts';
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import { MAX_FRAME_BYTES } from './frame.ts';

/** The bytes of a frame on a stream, delimiter included. */
export function encodeStreamFrame(frame: Uint8Array): Uint8Array {
  const target = new Uint8Array(maxCobsLength(frame.length) + 1);
  return target.subarray(0, encodeStreamFrameInto(frame, target, 0));
}

/**
 * Writes the same into `target` from `at` on, for frames coalesced into one write, and returns the position behind it.
 * `target` must have room for `maxCobsLength(frame.length) + 1` bytes.
 */
export function encodeStreamFrameInto(frame: Uint8Array, target: Uint8Array, at: number): number {
  const end = encodeCobsInto(frame, target, at);
  target[end] = 0;
  return end + 1;
}

/** The decoder of link frames on a stream. */
export function linkStreamDecoder(maxBytes: number = MAX_FRAME_BYTES): FrameDecoder {
  return cobsDecoder({ maxBytes });
}
