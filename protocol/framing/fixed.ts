/**
 * Fixed: every frame has the same length.
 *
 * ```
 *   | sync? | … up to `bytes` in all … |
 * ```
 *
 * Without sync and `verify` nothing tells where a frame starts: a lost byte shifts all frames until the gap timer
 * (`expire`) sets the line straight. With either, the decoder finds its way back by itself.
 */
import type { FrameDecoder, FrameEncoder } from './frame-decoder.ts';
import { ResyncDecoder } from './resync-decoder.ts';

export interface FixedOptions {
  /** The length of a frame, the sync included. */
  readonly bytes: number;
  /** What every frame starts with. It is part of the content. */
  readonly sync?: Uint8Array;
  /** Says whether a whole frame is right; if not, the search goes on one byte later. */
  readonly verify?: (frame: Uint8Array) => boolean;
}

const NOTHING = new Uint8Array(0);

/** A decoder of frames of one length. */
export function fixedDecoder(options: FixedOptions): FrameDecoder {
  const { bytes } = options;
  check(options);
  return new ResyncDecoder({
    sync: options.sync ?? NOTHING,
    probe: () => bytes,
    trailer: NOTHING,
    verify: options.verify,
    contentFrom: (_data, at) => at,
    contentTo: (at, total) => at + total,
  });
}

/** An encoder that lets pass what has the length and the sync; RangeError otherwise. */
export function fixedEncoder(options: FixedOptions): FrameEncoder {
  const { bytes, sync = NOTHING } = options;
  check(options);
  return (content) => {
    if (content.length !== bytes) throw new RangeError(`${content.length} bytes are no frame of ${bytes}`);
    if (sync.some((byte, i) => content[i] !== byte)) throw new RangeError('the frame does not start with its sync');
    return new Uint8Array(content);
  };
}

function check(options: FixedOptions): void {
  const { bytes, sync = NOTHING } = options;
  if (!(Number.isInteger(bytes) && bytes >= 1 && bytes >= sync.length)) {
    throw new RangeError(`${bytes} bytes cannot be the length of a frame with a sync of ${sync.length}`);
  }
}
