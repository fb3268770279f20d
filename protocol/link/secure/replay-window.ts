/**
 * Which numbers of a sealed session have come: each is taken once, in any order, at most 63 behind the newest (as IPsec
 * does it, RFC 4303, section 3.4.3).
 *
 * ```
 *        newest − 63                    newest
 *   ─────────┤ 1 0 1 1 1 … 1 0 1 1 1 1 1 1 ├─────────→ seq
 *    too old │ one bit each: has it come?  │ new
 * ```
 */

/** How far behind the newest number one may come. */
export const REPLAY_WINDOW = 64;

export class ReplayWindow {
  private newest = 0;
  /** Bit i: newest − i has come, and newest − 32 − i. */
  private recent = 0;
  private older = 0;

  /** Whether this number has not come and is not too old. 0 never is fresh: the handshake had it. */
  isFresh(seq: number): boolean {
    if (seq > this.newest) return true;
    const behind = this.newest - seq;
    if (seq === 0 || behind >= REPLAY_WINDOW) return false;
    const bits = behind < 32 ? this.recent : this.older;
    return ((bits >>> (behind & 31)) & 1) === 0;
  }

  /** It has come, and its tag was right. */
  take(seq: number): void {
    if (seq > this.newest) {
      this.advance(seq - this.newest);
      this.newest = seq;
    }
    const behind = this.newest - seq;
    if (behind < 32) this.recent |= 1 << behind;
    else if (behind < REPLAY_WINDOW) this.older |= 1 << (behind & 31);
  }

  private advance(by: number): void {
    if (by >= 32) {
      this.older = by < REPLAY_WINDOW ? this.recent << (by - 32) : 0;
      this.recent = 0;
    } else {
      this.older = (this.older << by) | (this.recent >>> (32 - by));
      this.recent <<= by;
    }
  }
}
