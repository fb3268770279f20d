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
const EMPTY = 0;
const HELD = 1;
const ABSENT = 2;

/** Puts the frames of one boot in order. Holds at most `size − 1` of them, besides what `take` was not yet called for. */
export class ReceiveWindow<T> {
  private readonly size: number;
  private readonly slots: (T | undefined)[] = Array.from({ length: RING }, () => undefined);
  private readonly states = new Uint8Array(RING);
  private readonly readyFrames: T[] = [];
  private readonly readySeqs: number[] = [];
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
    return this.readySeqs[0] ?? this.expected;
  }

  /** Frames in order that `take` still has. */
  get ready(): number {
    return this.readyFrames.length;
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
    let map = 0;
    for (let i = 0; i < 32; i++) {
      const at = seq + 1 + i;
      const ahead = at - this.expected;
      if (ahead < 0 || (ahead < RING && this.states[at % RING] !== EMPTY)) map |= 1 << i;
    }
    return map >>> 0;
  }

  /**
   * Takes a frame. `deliver`: `take` has frames now (this one among them, unless it waits behind a hole while older
   * holes were given up); `hold`: it waits for a hole; `duplicate`: it came before, or its place was given up.
   */
  offer(seq: number, item: T): 'deliver' | 'hold' | 'duplicate' {
    if (seq - this.expected >= this.size) this.abandoned += this.close(seq - this.size + 1);
    if (seq < this.expected || this.states[seq % RING] !== EMPTY) return 'duplicate';
    this.slots[seq % RING] = item;
    this.states[seq % RING] = HELD;
    this.advance();
    return this.readyFrames.length > 0 ? 'deliver' : 'hold';
  }

  /** The next frame in order; call until undefined. */
  take(): T | undefined {
    this.readySeqs.shift();
    return this.readyFrames.shift();
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
      if (this.states[at % RING] !== EMPTY) continue;
      this.states[at % RING] = ABSENT;
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
      if (this.states[this.expected % RING] === EMPTY) missing++;
      this.step();
      if (this.expected >= limit || !this.isClear()) continue;
      // Nothing is held any more: jump, however far it is.
      missing += limit - this.expected;
      this.expected = limit;
    }
    this.advance();
    return missing;
  }

  private advance(): void {
    while (this.states[this.expected % RING] !== EMPTY) this.step();
  }

  /** Passes the expected seq: to `take` when it is held. */
  private step(): void {
    const slot = this.expected % RING;
    if (this.states[slot] === HELD) {
      this.readyFrames.push(this.slots[slot]!);
      this.readySeqs.push(this.expected);
    }
    this.slots[slot] = undefined;
    this.states[slot] = EMPTY;
    this.expected++;
  }

  private isClear(): boolean {
    return this.states.every((state) => state === EMPTY);
  }
}
