/**
 * A bound on how much there may be of something: `perSecond`, and up to `burst` at once.
 *
 * ```
 *   perSecond ─→ [ tokens, at most burst ] ─→ take
 * ```
 */

/** Every rate that a peer can use up allows so many seconds' worth at once. */
export const BURST_S = 10;

/** A number, or where to look it up each time: what the configuration says may change while the gateway runs. */
export type Amount = number | (() => number);

export function valueOf(amount: Amount): number {
  return typeof amount === 'number' ? amount : amount();
}

export class TokenBucket {
  /** How often it has said no. */
  refused = 0;
  readonly #burst: Amount;
  readonly #perSecond: Amount;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /** @param now milliseconds of any clock; going back does no harm */
  constructor(burst: Amount, perSecond: Amount, now: () => number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#tokens = valueOf(burst);
    this.#at = now();
  }

  take(amount = 1): boolean {
    this.#refill();
    if (this.#tokens < amount) {
      this.refused++;
      return false;
    }
    this.#tokens -= amount;
    return true;
  }

  /** Takes it in any case, if need be from the future; see `waitMs`. */
  charge(amount: number): void {
    this.#refill();
    this.#tokens -= amount;
  }

  /** Milliseconds until `amount` (1) is there; 0 when it is. */
  waitMs(amount = 1): number {
    this.#refill();
    return this.#tokens >= amount ? 0 : ((amount - this.#tokens) * 1_000) / valueOf(this.#perSecond);
  }

  /** Nothing was taken for so long that it is as good as new. */
  get full(): boolean {
    this.#refill();
    return this.#tokens >= valueOf(this.#burst);
  }

  #refill(): void {
    const now = this.#now();
    const elapsed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#tokens = Math.min(valueOf(this.#burst), this.#tokens + (elapsed * valueOf(this.#perSecond)) / 1_000);
  }
}
