/**
 * Gap: silence ends a frame (Modbus RTU: 3.5 characters of it).
 *
 * ```
 *   … frame … ┊ silence ┊ … frame … ┊ silence ┊
 *             └ expire()            └ expire()
 * ```
 *
 * The owner keeps the time and calls `expire()`. The end of the connection is silence, too.
 */
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';
import { SealedDecoder } from './sealed-decoder.ts';

export interface GapOptions {
  /** The longest frame, in bytes. A longer one is `too-long` up to the next silence. */
  readonly maxBytes: number;
}

/** A decoder of frames with silence between them. */
export function gapDecoder(options: GapOptions): FrameDecoder {
  return new SealedDecoder(options.maxBytes, true);
}

/** The encoder adds nothing: the silence is the sender's to keep. RangeError for a frame the decoder would not take. */
export function gapEncoder(options: GapOptions): FrameEncoder {
  return (content) => {
    if (content.length === 0 || content.length > options.maxBytes) {
      throw new RangeError(`${content.length} bytes are no frame of 1 to ${options.maxBytes} bytes`);
    }
    return new Uint8Array(content);
  };
}
