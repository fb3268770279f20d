/**
 * What SLIP and HDLC-like framing share: a flag byte before and behind every frame, and an escape byte inside.
 *
 * ```
 *   flag flag flag | flag … stuffed content … flag | … stuffed content … flag
 *   └── fill ────┘   └ opening: its frame's          └ the closing flag may open the next frame, too
 * ```
 *
 * A flag never occurs inside, so the next flag is always the next chance.
 */
import type { FrameDecoder, Item } from './frame-decoder.ts';
import { InputQueue } from './input-queue.ts';
import { OutputSlab } from './output-slab.ts';

/** Writes the content of `data[from..to)` to `target` from `at` on and returns the end, or -1 for a bad escape. */
export type Unstuff = (data: Uint8Array, from: number, to: number, target: Uint8Array, at: number) => number;

export class FlagDecoder implements FrameDecoder {
  private readonly queue = new InputQueue();
  private readonly output = new OutputSlab();
  private readonly flag: number;
  private readonly maxBytes: number;
  private readonly unstuff: Unstuff;
  /** Bytes from `start` on that hold no flag but the opening one. */
  private scanned = 0;
  /** Inside a frame over the limit: everything up to its closing flag goes. */
  private discarding = false;

  constructor(flag: number, maxBytes: number, unstuff: Unstuff) {
    if (!(Number.isInteger(maxBytes) && maxBytes >= 1))
      throw new RangeError('maxBytes must be a positive whole number');
    this.flag = flag;
    this.maxBytes = maxBytes;
    this.unstuff = unstuff;
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
    const { queue, flag, discarding } = this;
    const { data, start, end, sealed } = queue;
    if (start === end) {
      this.output.release();
      return queue.settle();
    }
    let from = start;
    if (data[start] === flag && !discarding) {
      while (from < end && data[from] === flag) from++;
      const idle = from - start;
      if (from === end && sealed !== undefined) return queue.skip('fill', idle);
      if (idle > 1) return queue.skip('fill', idle - 1);
    }
    let close = Math.max(from, start + this.scanned);
    while (close < end && data[close] !== flag) close++;
    const length = close - from;
    // Every byte of content takes two on the wire at most.
    const tooLong = discarding || length > 2 * this.maxBytes;
    if (close === end) {
      this.scanned = 0;
      if (tooLong || sealed !== undefined) {
        this.discarding = tooLong && sealed === undefined;
        return queue.skip(tooLong ? 'too-long' : sealed!, close - start);
      }
      this.scanned = close - start;
      return queue.settle();
    }
    this.scanned = 0;
    this.discarding = false;
    const wireLength = close + 1 - start;
    if (tooLong) return queue.skip('too-long', wireLength);
    const target = this.output.room(length, queue.buffered);
    const to = this.unstuff(data, from, close, target, this.output.at);
    if (to < 0) return queue.skip('bad-escape', wireLength);
    if (to - this.output.at > this.maxBytes) return queue.skip('too-long', wireLength);
    return queue.frame(this.output.take(to), wireLength);
  }
}
