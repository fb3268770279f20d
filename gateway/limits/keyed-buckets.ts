/**
 * A token bucket for each key (an address), in bounded memory: when the table is full, the key that was used the longest
 * ago makes room. Whoever has so many addresses gets round it, so a limit by address always has one in all beside it.
 */
import { type Amount, TokenBucket } from './token-bucket.ts';

const MAX_KEYS = 4_096;

export class KeyedBuckets {
  readonly #burst: Amount;
  readonly #perSecond: Amount;
  readonly #now: () => number;
  readonly #maxKeys: number;
  /** The key used the longest ago first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(burst: Amount, perSecond: Amount, now: () => number, maxKeys = MAX_KEYS) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#maxKeys = maxKeys;
  }

  /** The bucket of this key. It must not be kept. */
  of(key: string): TokenBucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#burst, this.#perSecond, this.#now);
      if (this.#buckets.size >= this.#maxKeys) this.#makeRoom();
    } else {
      this.#buckets.delete(key);
    }
    this.#buckets.set(key, bucket);
    return bucket;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #makeRoom(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
