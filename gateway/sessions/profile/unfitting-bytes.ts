/**
 * Bytes that come without ever being a frame: a wrong baud rate, a wrong parity, another device than was thought. One by
 * one they are only counted; that nothing fits at all is worth a line.
 */
import type { Item } from '../../../protocol/index.ts';

/** So long it may be a frame that is still coming, or the rest of one that came before we listened. */
const FIRST_MS = 15_000;
/** As long as it goes on, it is told as often as this. */
const AGAIN_MS = 60_000;
/** Fewer bytes are noise, as when a plug is pulled. */
const MIN_BYTES = 8;

export interface Unfitting {
  readonly bytes: number;
  readonly seconds: number;
}

/** Counts what was skipped since the last frame. */
export class UnfittingBytes {
  #bytes = 0;
  #since = 0;
  #waitMs = FIRST_MS;

  take(item: Item, nowMs: number): void {
    if (item.kind === 'frame') {
      this.#bytes = 0;
      this.#waitMs = FIRST_MS;
    } else if (item.reason !== 'fill') {
      if (this.#bytes === 0) this.#since = nowMs;
      this.#bytes += item.wireLength;
    }
  }

  /** What there is to tell now; undefined: nothing, or not yet. It is told once, and begins anew. */
  due(nowMs: number): Unfitting | undefined {
    const ms = nowMs - this.#since;
    if (this.#bytes < MIN_BYTES || ms < this.#waitMs) return undefined;
    const told = { bytes: this.#bytes, seconds: Math.round(ms / 1_000) };
    this.#bytes = 0;
    this.#waitMs = AGAIN_MS;
    return told;
  }
}
