/**
 * Datagram: the network keeps the frames apart, one a `push`.
 *
 * ```
 *   push(frame)   push(frame)   …
 * ```
 *
 * An empty datagram has no bytes to account for and gives no item.
 */
import type { FrameDecoder, FrameEncoder, Item } from './frame-decoder.ts';

export interface DatagramOptions {
  /** The longest frame, in bytes. A longer datagram is `too-long`. */
  readonly maxBytes: number;
}

/** A decoder that takes every chunk for a frame. */
export function datagramDecoder(options: DatagramOptions): FrameDecoder {
  check(options);
  return new DatagramDecoder(options.maxBytes);
}

class DatagramDecoder implements FrameDecoder {
  buffered = 0;
  private readonly maxBytes: number;
  private waiting: Uint8Array[] = [];
  private taken = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.waiting.push(chunk);
    this.buffered += chunk.length;
  }

  next(): Item | undefined {
    const chunk = this.waiting[this.taken];
    if (chunk === undefined) return undefined;
    // Lets go of what was taken, also when the consumer never quite catches up, at a cost linear over all.
    if (++this.taken * 2 >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.taken);
      this.taken = 0;
    }
    const wireLength = chunk.length;
    this.buffered -= wireLength;
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, wireLength);
    if (wireLength > this.maxBytes) return { kind: 'skip', reason: 'too-long', bytes, wireLength };
    return { kind: 'frame', bytes, wireLength };
  }

  /** A datagram is never half there. */
  expire(): void {}

  /** A datagram is never half there. */
  end(): void {}
}

/** The encoder adds nothing. RangeError for a frame the decoder would not take. */
export function datagramEncoder(options: DatagramOptions): FrameEncoder {
  check(options);
  return (content) => {
    if (content.length === 0 || content.length > options.maxBytes) {
      throw new RangeError(`${content.length} bytes are no datagram of 1 to ${options.maxBytes} bytes`);
    }
    return new Uint8Array(content);
  };
}

function check(options: DatagramOptions): void {
  if (!(Number.isInteger(options.maxBytes) && options.maxBytes >= 1)) {
    throw new RangeError('maxBytes must be a positive whole number');
  }
}
