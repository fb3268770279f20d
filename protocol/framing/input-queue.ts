/**
 * The bytes a decoder holds, as one contiguous window over the last chunk or over a buffer of our own.
 *
 * ```
 *   data   ....[ given back ][ start … end )[ … stored )
 *                             visible now    behind a seal
 * ```
 *
 * A chunk that finds the queue empty is looked at in place; one that finds a rest is joined with it by one copy. What
 * `expire` and `end` mean is a *seal*: the bytes stored so far stay apart from whatever comes later, so they are
 * decided without it. Decoders look at `start..end` only and ask `sealed` before they wait for more.
 */
import type { FrameItem, SkipItem, SkipReason } from './frame-decoder.ts';

/** What drew the line behind the bytes: silence, or the end of the connection. Also why an unfinished frame is skipped. */
export type Seal = 'expired' | 'truncated';

const NOTHING = new Uint8Array(0);
/** A rest pins its chunk only if the chunk is not much larger than that. */
const PINNED_BYTES = 256;

export class InputQueue {
  data: Uint8Array = NOTHING;
  /** The first byte that is not given back yet. */
  start = 0;
  /** The end of what may be looked at now. */
  end = 0;
  /** Set while no more bytes will join those in `start..end`. */
  sealed: Seal | undefined = undefined;

  private stored = 0;
  private owned = false;
  /** Seals in order, the first one being in force; positions in `data`. Empty nearly always. */
  private seals: { at: number; by: Seal }[] = [];

  /** All bytes held, also those behind a seal. */
  get buffered(): number {
    return this.stored - this.start;
  }

  push(chunk: Uint8Array): void {
    const live = this.stored - this.start;
    if (live === 0) {
      this.data = chunk;
      this.start = 0;
      this.stored = chunk.length;
      this.owned = false;
    } else if (chunk.length > 0) {
      if (!this.owned || this.data.length - this.stored < chunk.length) this.move(live, chunk.length);
      this.data.set(chunk, this.stored);
      this.stored += chunk.length;
    }
    if (this.sealed === undefined) this.end = this.stored;
  }

  /** Sets the bytes stored so far apart from what comes later. Nothing to do when there are none. */
  seal(by: Seal): void {
    const from = this.seals.length === 0 ? this.start : this.seals.at(-1)!.at;
    if (this.stored === from) return;
    this.seals.push({ at: this.stored, by });
    this.sealed = this.seals[0]!.by;
    this.end = this.seals[0]!.at;
  }

  /** A decoder found nothing to give back: a short rest must not keep a long chunk alive. */
  settle(): undefined {
    const live = this.stored - this.start;
    if (live === 0) {
      this.data = NOTHING;
      this.start = this.stored = this.end = 0;
    } else if (!this.owned && this.data.length > 2 * live + PINNED_BYTES) {
      this.move(live, 0);
    }
    return undefined;
  }

  /** Gives back the next `wireLength` bytes as a frame of these content bytes. */
  frame(bytes: Uint8Array, wireLength: number): FrameItem {
    this.consume(wireLength);
    return { kind: 'frame', bytes, wireLength };
  }

  /** Gives back the next `length` bytes as skipped. */
  skip(reason: SkipReason, length: number): SkipItem {
    const bytes = this.view(this.start, this.start + length);
    this.consume(length);
    return { kind: 'skip', reason, bytes, wireLength: length };
  }

  /** A view of `data[from..to)`, a plain Uint8Array also when the chunk is of a class derived from it. */
  view(from: number, to: number): Uint8Array {
    return new Uint8Array(this.data.buffer, this.data.byteOffset + from, to - from);
  }

  private consume(length: number): void {
    this.start += length;
    if (this.start === this.end && this.sealed !== undefined) {
      this.seals.shift();
      this.sealed = this.seals[0]?.by;
      this.end = this.seals[0]?.at ?? this.stored;
    }
  }

  /** Moves what is held to a buffer of its own. Doubling keeps byte-wise input linear. */
  private move(live: number, more: number): void {
    const fresh = new Uint8Array(more === 0 ? live : Math.max(live + more, 2 * live));
    fresh.set(this.view(this.start, this.stored));
    for (const seal of this.seals) seal.at -= this.start;
    this.end -= this.start;
    this.data = fresh;
    this.start = 0;
    this.stored = live;
    this.owned = true;
  }
}
