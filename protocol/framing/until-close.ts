/**
 * Until-close: all bytes of a connection are one frame.
 *
 * ```
 *   open … bytes … close
 *                  └ end()
 * ```
 *
 * A silence means nothing here: `expire()` leaves the bytes waiting.
 */
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';
import { SealedDecoder } from './sealed-decoder.ts';

export interface UntilCloseOptions {
  /** The longest frame, in bytes. On a longer one all bytes are `too-long`. */
  readonly maxBytes: number;
}

/** A decoder that gives one frame when the connection ends. */
export function untilCloseDecoder(options: UntilCloseOptions): FrameDecoder {
  return new SealedDecoder(options.maxBytes, false);
}

/** The encoder adds nothing: the sender closes behind the frame. RangeError for a frame the decoder would not take. */
export function untilCloseEncoder(options: UntilCloseOptions): FrameEncoder {
  return (content) => {
    if (content.length === 0 || content.length > options.maxBytes) {
      throw new RangeError(`${content.length} bytes are no frame of 1 to ${options.maxBytes} bytes`);
    }
    return new Uint8Array(content);
  };
}
