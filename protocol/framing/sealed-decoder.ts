/**
 * What `gap` and `until-close` share: no byte ends a frame, only an event on the line does.
 *
 * ```
 *   … bytes … ┊ … bytes … ┊        ┊ the event: silence, or the end of the connection
 * ```
 */
import type { FrameDecoder, Item } from './frame-decoder.ts';
import { InputQueue } from './input-queue.ts';

export class SealedDecoder implements FrameDecoder {
  private readonly queue = new InputQueue();
  private readonly maxBytes: number;
  private readonly silenceEnds: boolean;
  /** Inside a frame over the limit: everything up to its end goes. */
  private discarding = false;

  constructor(maxBytes: number, silenceEnds: boolean) {
    if (!(Number.isInteger(maxBytes) && maxBytes >= 1))
      throw new RangeError('maxBytes must be a positive whole number');
    this.maxBytes = maxBytes;
    this.silenceEnds = silenceEnds;
  }

  get buffered(): number {
    return this.queue.buffered;
  }

  push(chunk: Uint8Array): void {
    this.queue.push(chunk);
  }

  expire(): void {
    if (this.silenceEnds) this.seal('expired');
  }

  end(): void {
    this.seal('truncated');
  }

  next(): Item | undefined {
    const { queue } = this;
    const length = queue.end - queue.start;
    if (length === 0) return queue.settle();
    const ended = queue.sealed !== undefined;
    if (this.discarding || length > this.maxBytes) {
      this.discarding = !ended;
      return queue.skip('too-long', length);
    }
    return ended ? queue.frame(queue.view(queue.start, queue.end), length) : queue.settle();
  }

  private seal(by: 'expired' | 'truncated'): void {
    if (this.queue.buffered === 0) this.discarding = false;
    this.queue.seal(by);
  }
}
