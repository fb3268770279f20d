/**
 * COBS: Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999).
 *
 * ```
 *   content    11 22 00 33
 *   wire       03 11 22 02 33 00
 *              │        │     └ delimiter: the only zero on the wire
 *              │        └ code 2: one byte follows, then the end (or a zero)
 *              └ code 3: two bytes follow, then a zero
 *   code FF: 254 bytes follow, and no zero
 * ```
 *
 * Zeros between frames are `fill`. A code that points past its delimiter makes the whole run `bad-length`; the next
 * zero is the next chance, so nothing is searched twice.
 */
import type { FrameDecoder, FrameEncoder, Item } from './frame-decoder.ts';
import { InputQueue } from './input-queue.ts';
import { OutputSlab } from './output-slab.ts';

export interface CobsOptions {
  /** The longest content of a frame, in bytes. */
  readonly maxBytes: number;
}

/** The most bytes that `length` bytes of content take as COBS, the delimiter not counted. */
export function maxCobsLength(length: number): number {
  return length + Math.floor(length / 254) + 1;
}

/** A decoder of COBS frames, each closed by a zero. Content of no bytes is an `empty` skip. */
export function cobsDecoder(options: CobsOptions): FrameDecoder {
  return new CobsDecoder(options.maxBytes);
}

class CobsDecoder implements FrameDecoder {
  private readonly queue = new InputQueue();
  private readonly output = new OutputSlab();
  private readonly maxBytes: number;
  private readonly maxWire: number;
  /** Bytes from `start` on that are known to hold no zero: byte-wise input is not scanned again and again. */
  private scanned = 0;
  /** Inside a frame over the limit: everything up to its delimiter goes. */
  private discarding = false;

  constructor(maxBytes: number) {
    if (!(Number.isInteger(maxBytes) && maxBytes >= 1))
      throw new RangeError('maxBytes must be a positive whole number');
    this.maxBytes = maxBytes;
    this.maxWire = maxCobsLength(maxBytes);
  }

  get buffered(): number {
    return this.queue.buffered;
  }

  push(chunk: Uint8Array): void {
    this.output.restart();
    this.queue.push(chunk);
  }

  expire(): void {
    if (this.queue.buffered === 0) this.discarding = false;
    this.queue.seal('expired');
  }

  end(): void {
    if (this.queue.buffered === 0) this.discarding = false;
    this.queue.seal('truncated');
  }

  next(): Item | undefined {
    const { queue } = this;
    const { data, start, end } = queue;
    if (start === end) return this.rest();
    let zero = start + this.scanned;
    while (zero < end && data[zero] !== 0) zero++;
    const length = zero - start;
    if (zero === end) {
      const { sealed } = queue;
      if (this.discarding || length > this.maxWire) {
        this.scanned = 0;
        this.discarding = sealed === undefined;
        return queue.skip('too-long', length);
      }
      if (sealed !== undefined) {
        this.scanned = 0;
        return queue.skip(sealed, length);
      }
      this.scanned = length;
      return queue.settle();
    }
    this.scanned = 0;
    if (this.discarding || length > this.maxWire) {
      this.discarding = false;
      return queue.skip('too-long', length + 1);
    }
    if (length === 0) {
      let behind = zero + 1;
      while (behind < end && data[behind] === 0) behind++;
      return queue.skip('fill', behind - start);
    }
    if (length === 1 && data[start] === 1) return queue.skip('empty', 2);

    const target = this.output.room(length - 1, queue.buffered);
    const from = this.output.at;
    let to = from;
    let at = start;
    for (;;) {
      const code = data[at++]!;
      const next = at + code - 1;
      if (next > zero) return queue.skip('bad-length', length + 1);
      while (at < next) target[to++] = data[at++]!;
      if (at === zero) break;
      if (code !== 0xff) target[to++] = 0;
    }
    if (to - from > this.maxBytes) return queue.skip('too-long', length + 1);
    return queue.frame(this.output.take(to), length + 1);
  }

  private rest(): undefined {
    this.output.release();
    return this.queue.settle();
  }
}

/**
 * Encodes `source` as COBS into `target` from `at` on, without delimiter, and returns the position behind it. There must
 * be room for `maxCobsLength(source.length)` bytes.
 */
export function encodeCobsInto(source: Uint8Array, target: Uint8Array, at: number): number {
  const length = source.length;
  if (at < 0 || target.length - at < maxCobsLength(length)) {
    throw new RangeError(`no room for ${maxCobsLength(length)} bytes of COBS at ${at} of ${target.length}`);
  }
  let codeAt = at;
  let to = at + 1;
  for (let i = 0; i < length; i++) {
    const byte = source[i]!;
    if (byte !== 0) {
      target[to++] = byte;
      // A full block says "254 bytes, no zero" and needs no block behind it when the content ends here.
      if (to - codeAt < 0xff || i + 1 === length) continue;
    }
    target[codeAt] = to - codeAt;
    codeAt = to++;
  }
  target[codeAt] = to - codeAt;
  return to;
}

/** `bytes` as COBS, without delimiter. */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const target = new Uint8Array(maxCobsLength(bytes.length));
  return target.subarray(0, encodeCobsInto(bytes, target, 0));
}

/** An encoder of COBS frames with their delimiter. RangeError for content that the decoder would not take. */
export function cobsEncoder(options: CobsOptions): FrameEncoder {
  return (content) => {
    if (content.length === 0 || content.length > options.maxBytes) {
      throw new RangeError(`${content.length} bytes are no COBS frame of 1 to ${options.maxBytes} bytes`);
    }
    const target = new Uint8Array(maxCobsLength(content.length) + 1);
    const end = encodeCobsInto(content, target, 0);
    return target.subarray(0, end + 1);
  };
}
