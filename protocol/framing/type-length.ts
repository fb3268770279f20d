/**
 * Type-length: the first byte names the type, and the type has its length.
 *
 * ```
 *   | type | … lengthOf(type) bytes in all … |
 * ```
 */
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';
import { NEED_MORE, ResyncDecoder, TOO_LONG, UNKNOWN_TYPE } from './resync-decoder.ts';

export interface TypeLengthOptions {
  /** The length of a frame of each known type, the type byte included; index (or key) is the type. */
  readonly lengths: Readonly<Record<number, number>>;
  /** The longest frame, in all. Types that are longer are `too-long`. */
  readonly maxBytes: number;
  /** Says whether a whole frame is right; if not, the search goes on one byte later. */
  readonly verify?: (frame: Uint8Array) => boolean;
}

const NOTHING = new Uint8Array(0);

/** A decoder of frames whose first byte tells the length. Unknown types are skipped as `unknown-type`. */
export function typeLengthDecoder(options: TypeLengthOptions): FrameDecoder {
  const table = lengthTable(options);
  const { maxBytes } = options;
  return new ResyncDecoder({
    sync: NOTHING,
    probe: (data, at, end) => {
      if (at >= end) return NEED_MORE;
      const total = table[data[at]!]!;
      if (total === 0) return UNKNOWN_TYPE;
      return total > maxBytes ? TOO_LONG : total;
    },
    trailer: NOTHING,
    verify: options.verify,
    contentFrom: (_data, at) => at,
    contentTo: (at, total) => at + total,
  });
}

/** An encoder that lets pass what has the length of its type; RangeError otherwise. */
export function typeLengthEncoder(options: TypeLengthOptions): FrameEncoder {
  const table = lengthTable(options);
  return (content) => {
    const type = content[0];
    if (type === undefined || table[type] !== content.length || content.length > options.maxBytes) {
      throw new RangeError(`${content.length} bytes are no frame of type ${type}`);
    }
    return new Uint8Array(content);
  };
}

/** The lengths by type; 0 for an unknown type. A dense table, since a byte from the wire must not be an object key. */
function lengthTable(options: TypeLengthOptions): Int32Array {
  const table = new Int32Array(256);
  for (let type = 0; type < 256; type++) {
    const length = Object.hasOwn(options.lengths, type) ? options.lengths[type]! : 0;
    if (!(Number.isInteger(length) && length >= 0)) throw new RangeError(`${length} is no length of type ${type}`);
    table[type] = length;
  }
  return table;
}
