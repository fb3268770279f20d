/**
 * The gateway's side of the reliable counter of one boot: frames come in any order, twice or not at all, and leave in
 * order, once.
 *
 * ```
 *            taken        next                        next + size
 *   ───────────────────────┤ hole │ held │ hole │ held │────────────→ seq
 *                                                       └ a frame from here on proves that the oldest holes
 *                                                         will never be filled: the sender keeps to its window
 * ```
 */

const RING = 32;
const NONE = -1;

/**
 * Puts the frames of one boot in order. Holds at most `size − 1` of them, besides what `take` was not yet called for.
 * Lean, because every device has one: frames in order touch no array, and the ring exists only while there is a hole.
 */
export class ReceiveWindow<T> {
  private readonly size: number;
  /** Bit seq mod 32: this seq, of the 32 from `expected` on, has come or need not come. */
  private filled = 0;
  /** Of these: it has come, and is in `slots`. */
  private held = 0;
  private slots: (T | undefined)[] | undefined;
  /** What `take` gives next, and what comes behind it. */
  private front: T | undefined;
  private frontSeq = NONE;
  private readonly behind: { readonly seq: number; readonly item: T }[] = [];
  private expected: number;
  private abandoned = 0;

  /** `next` is the first seq to deliver; `size` (1–32) the distance that proves older frames done or abandoned. */
  constructor(next: number, size: number = RING) {
    if (!(size >= 1 && size <= RING)) throw new RangeError(`a window of ${size}`);
    this.expected = next;
    this.size = size;
  }

  /**
   * Everything before this seq was taken, dropped by the device or given up. What `take` still has does not count: it
   * must not be acknowledged.
   */
  get next(): number {
    return this.frontSeq === NONE ? this.expected : this.frontSeq;
  }

  /** Frames in order that `take` still has. */
  get ready(): number {
    return this.frontSeq === NONE ? 0 : 1 + this.behind.length;
  }

  /** Seqs given up because a frame came that proved them gone; a GAP that was overtaken may explain them later. */
  get givenUp(): number {
    return this.abandoned;
  }

  /** An ACK's map for an ACK that says `next − 1`. */
  get heldMap(): number {
    return this.mapAfter(this.next - 1);
  }

  /** An ACK's map for an ACK that says `seq`: bit i is set when seq + 1 + i has come (or need not come). */
  mapAfter(seq: number): number {
    if (this.filled === 0 && seq >= this.expected - 1) return 0;
    let map = 0;
    for (let i = 0; i < 32; i++) {
      const at = seq + 1 + i;
      const ahead = at - this.expected;
      if (ahead < 0 || (ahead < RING && this.isFilled(at))) map |= 1 << i;
    }
    return map >>> 0;
  }

  /**
   * Takes a frame. `deliver`: `take` has frames now (this one among them, unless it waits behind a hole while older
   * holes were given up); `hold`: it waits for a hole; `duplicate`: it came before, or its place was given up.
   */
  offer(seq: number, item: T): 'deliver' | 'hold' | 'duplicate' {
    if (seq === this.expected && this.filled === 0) {
      this.expected++;
      this.pass(seq, item);
      return 'deliver';
    }
    if (seq - this.expected >= this.size) this.abandoned += this.close(seq - this.size + 1);
    if (seq < this.expected || this.isFilled(seq)) return 'duplicate';
    this.slots ??= Array.from({ length: RING }, () => undefined);
    this.slots[seq % RING] = item;
    this.filled |= bit(seq);
    this.held |= bit(seq);
    this.advance();
    return this.frontSeq === NONE ? 'hold' : 'deliver';
  }

  /** The next frame in order; call until undefined. */
  take(): T | undefined {
    const item = this.front;
    const next = this.behind.shift();
    this.front = next?.item;
    this.frontSeq = next?.seq ?? NONE;
    return item;
  }

  /**
   * A GAP with this `first` and this seq has come: what is missing from `first` up to but not including `seq` is not
   * waited for any more. Returns how many frames are missing because of it, for the first time. The GAP itself is to
   * be offered afterwards, as every reliable frame.
   */
  gap(first: number, seq: number): number {
    const provenGone = seq - this.size + 1;
    this.abandoned += this.close(Math.min(first, provenGone));
    let missing = this.close(first <= this.expected ? seq : provenGone);
    for (let at = Math.max(first, this.expected); at < seq; at++) {
      if (this.isFilled(at)) continue;
      this.filled |= bit(at);
      missing++;
    }
    return missing;
  }

  /**
   * A new session says that nothing before `first` will come any more. Returns how many frames are missing by that;
   * `take` may have some now.
   */
  skipTo(first: number): number {
    return this.close(first);
  }

  /** Stops waiting for everything before `limit`; returns how many frames were missing there. */
  private close(limit: number): number {
    let missing = 0;
    while (this.expected < limit) {
      if (!this.isFilled(this.expected)) missing++;
      this.step();
      if (this.expected >= limit || this.filled !== 0) continue;
      // Nothing is held any more: jump, however far it is.
      missing += limit - this.expected;
      this.expected = limit;
    }
    this.advance();
    return missing;
  }

  private advance(): void {
    while (this.isFilled(this.expected)) this.step();
  }

  /** Passes the expected seq: to `take` when it is held. */
  private step(): void {
    const seq = this.expected++;
    const mask = bit(seq);
    if ((this.held & mask) !== 0) {
      this.pass(seq, this.slots![seq % RING]!);
      this.slots![seq % RING] = undefined;
    }
    this.held &= ~mask;
    this.filled &= ~mask;
    if (this.held === 0) this.slots = undefined;
  }

  private pass(seq: number, item: T): void {
    if (this.frontSeq === NONE) {
      this.front = item;
      this.frontSeq = seq;
    } else {
      this.behind.push({ seq, item });
    }
  }

  private isFilled(seq: number): boolean {
    return (this.filled & bit(seq)) !== 0;
  }
}

function bit(seq: number): number {
  return 1 << (seq % RING);
}
