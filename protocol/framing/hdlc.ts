/**
 * HDLC-like byte stuffing (RFC 1662, section 4.2).
 *
 * ```
 *   content      11 7E    7D    22
 *   wire      7E 11 7D 5E 7D 5D 22 7E
 *             │     └ 7E  └ 7D     └ flag
 *             └ flag     (7D, then the byte XOR 20)
 * ```
 *
 * The content is all that stands between the flags: address and control bytes and the frame check sequence, if the
 * protocol above has them (the FCS-16 is CRC-16/IBM-SDLC). An escape right before the flag aborts a frame
 * (section 4.3): `bad-escape`.
 */
import { FlagDecoder } from './flag-decoder.ts';
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';

export interface HdlcOptions {
  /** The longest content of a frame, in bytes. */
  readonly maxBytes: number;
}

const FLAG = 0x7e;
const ESCAPE = 0x7d;
const TURN = 0x20;

/** A decoder of HDLC-like frames. */
export function hdlcDecoder(options: HdlcOptions): FrameDecoder {
  return new FlagDecoder(FLAG, options.maxBytes, unstuff);
}

function unstuff(data: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  let end = at;
  for (let i = from; i < to; i++) {
    let byte = data[i]!;
    if (byte === ESCAPE) {
      if (++i === to) return -1;
      byte = data[i]! ^ TURN;
    }
    target[end++] = byte;
  }
  return end;
}

/** An encoder of HDLC-like frames, a flag before and behind. RangeError for content that the decoder would not take. */
export function hdlcEncoder(options: HdlcOptions): FrameEncoder {
  return (content) => {
    const { length } = content;
    if (length === 0 || length > options.maxBytes) {
      throw new RangeError(`${length} bytes are no HDLC frame of 1 to ${options.maxBytes} bytes`);
    }
    const wire = new Uint8Array(2 * length + 2);
    let at = 0;
    wire[at++] = FLAG;
    for (const byte of content) {
      if (byte === FLAG || byte === ESCAPE) {
        wire[at++] = ESCAPE;
        wire[at++] = byte ^ TURN;
      } else {
        wire[at++] = byte;
      }
    }
    wire[at++] = FLAG;
    return wire.subarray(0, at);
  };
}
