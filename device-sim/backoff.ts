/** Waits that double from try to try, with ± 25 % jitter so that a fleet does not come back all at once. */
import type { Random } from './random.ts';

export class Backoff {
  readonly #random: Random;
  readonly #firstMs: number;
  readonly #maxMs: number;
  #tries = 0;

  constructor(random: Random, firstMs: number, maxMs: number) {
    this.#random = random;
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  /** How many waits were taken since the last reset. */
  get tries(): number {
    return this.#tries;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const waitMs = Math.min(this.#maxMs, this.#firstMs * 2 ** this.#tries);
    this.#tries += 1;
    return waitMs * this.#random.between(0.75, 1.25);
  }

  /** It worked: the next wait is a first one. */
  reset(): void {
    this.#tries = 0;
  }
}
