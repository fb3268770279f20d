/**
 * SLIP (RFC 1055).
 *
 * ```
 *   content      11 C0    DB    22
 *   wire      C0 11 DB DC DB DD 22 C0
 *             │     └ C0  └ DB     └ END
 *             └ END: ends whatever noise came before
 * ```
 *
 * An escape followed by anything but DC and DD is `bad-escape`: the RFC would let the byte through, but it never was
 * what the sender said.
 */
import { FlagDecoder } from './flag-decoder.ts';
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';

export interface SlipOptions {
  /** The longest content of a frame, in bytes. */
  readonly maxBytes: number;
}

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** A decoder of SLIP packets. */
export function slipDecoder(options: SlipOptions): FrameDecoder {
  return new FlagDecoder(END, options.maxBytes, unstuff);
}

function unstuff(data: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  let end = at;
  for (let i = from; i < to; i++) {
    let byte = data[i]!;
    if (byte === ESC) {
      const code = ++i < to ? data[i] : undefined;
      if (code !== ESC_END && code !== ESC_ESC) return -1;
      byte = code === ESC_END ? END : ESC;
    }
    target[end++] = byte;
  }
  return end;
}

/** An encoder of SLIP packets, with END before and behind. RangeError for content that the decoder would not take. */
export function slipEncoder(options: SlipOptions): FrameEncoder {
  return (content) => {
    const { length } = content;
    if (length === 0 || length > options.maxBytes) {
      throw new RangeError(`${length} bytes are no SLIP packet of 1 to ${options.maxBytes} bytes`);
    }
    const wire = new Uint8Array(2 * length + 2);
    let at = 0;
    wire[at++] = END;
    for (const byte of content) {
      if (byte === END || byte === ESC) {
        wire[at++] = ESC;
        wire[at++] = byte === END ? ESC_END : ESC_ESC;
      } else {
        wire[at++] = byte;
      }
    }
    wire[at++] = END;
    return wire.subarray(0, at);
  };
}
