/**
 * Where unstuffed frames are written. Their views stay valid until the next `push`, so the frames of one chunk lie
 * behind each other in a slab, and the next chunk starts over in it.
 */

const SLAB_BYTES = 4_096;
/** A silent connection keeps no more than that. */
const KEPT_BYTES = 256;
const NOTHING = new Uint8Array(0);

export class OutputSlab {
  /** Where the next frame starts. */
  at = 0;
  private slab: Uint8Array = NOTHING;

  /** The views handed out are no longer needed. */
  restart(): void {
    this.at = 0;
  }

  /** The slab, with room for `needed` bytes at `at`; `expected` is what the chunk at hand may yet need in all. */
  room(needed: number, expected: number): Uint8Array {
    if (this.slab.length - this.at < needed) {
      this.slab = new Uint8Array(Math.max(needed, Math.min(expected, SLAB_BYTES)));
      this.at = 0;
    }
    return this.slab;
  }

  /** The view of what was written from `at` up to `to`. */
  take(to: number): Uint8Array {
    const view = new Uint8Array(this.slab.buffer, this.slab.byteOffset + this.at, to - this.at);
    this.at = to;
    return view;
  }

  /** The chunk is used up: lets a large slab go (views keep theirs alive). */
  release(): void {
    if (this.slab.length > KEPT_BYTES) this.slab = NOTHING;
  }
}
