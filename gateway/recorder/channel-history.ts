/**
 * The last hours of one channel, for plots: least, greatest and last value of every ten seconds.
 *
 * ```
 *   bucket   n        n+1      n+2          number = floor(Unix ms / 10,000)
 *            [lo hi v][lo hi v][lo hi v]    a ring that grows up to 720 of them: two hours
 * ```
 *
 * A bucket without values is not there, so a channel that speaks once an hour costs little.
 */

export const BUCKET_MS = 10_000;
/** Two hours. */
export const MAX_BUCKETS = 720;
const FIRST_BUCKETS = 32;
/** Bucket number, least, greatest, last. */
const WIDTH = 4;

/** Columns of equal length, oldest first; `t` are Unix milliseconds of the beginnings of the buckets. */
export interface HistorySlice {
  readonly t: number[];
  readonly min: number[];
  readonly max: number[];
  readonly last: number[];
}

export class ChannelHistory {
  #data = new Float64Array(FIRST_BUCKETS * WIDTH);
  /** Where the oldest bucket is, and how many there are. */
  #from = 0;
  #count = 0;

  /** Buckets held. */
  get size(): number {
    return this.#count;
  }

  /** Takes a value; one that is older than the newest bucket counts for that. NaN and infinities are left out. */
  add(unixMs: number, value: number): void {
    if (!Number.isFinite(value)) return;
    const bucket = Math.floor(unixMs / BUCKET_MS);
    if (this.#count > 0) {
      const at = this.#place(this.#count - 1);
      const data = this.#data;
      if (bucket <= (data[at] as number)) {
        if (value < (data[at + 1] as number)) data[at + 1] = value;
        if (value > (data[at + 2] as number)) data[at + 2] = value;
        data[at + 3] = value;
        return;
      }
    }
    if (this.#count * WIDTH === this.#data.length) this.#makeRoom();
    const at = this.#place(this.#count++);
    this.#data.set([bucket, value, value, value], at);
  }

  /** The buckets from this time on. */
  since(unixMs: number): HistorySlice {
    const slice: HistorySlice = { t: [], min: [], max: [], last: [] };
    const first = Math.floor(unixMs / BUCKET_MS);
    for (let n = 0; n < this.#count; n++) {
      const at = this.#place(n);
      const bucket = this.#data[at] as number;
      if (bucket < first) continue;
      slice.t.push(bucket * BUCKET_MS);
      slice.min.push(this.#data[at + 1] as number);
      slice.max.push(this.#data[at + 2] as number);
      slice.last.push(this.#data[at + 3] as number);
    }
    return slice;
  }

  #place(n: number): number {
    return ((this.#from + n) * WIDTH) % this.#data.length;
  }

  #makeRoom(): void {
    if (this.#count === MAX_BUCKETS) {
      this.#from = (this.#from + 1) % MAX_BUCKETS;
      this.#count--;
      return;
    }
    const larger = new Float64Array(Math.min(MAX_BUCKETS, this.#count * 2) * WIDTH);
    for (let n = 0; n < this.#count; n++) {
      const at = this.#place(n);
      larger.set(this.#data.subarray(at, at + WIDTH), n * WIDTH);
    }
    this.#data = larger;
    this.#from = 0;
  }
}
