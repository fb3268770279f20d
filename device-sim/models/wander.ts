/** A quantity that moves slowly: it wanders at random and is drawn back to its mean (an Ornstein-Uhlenbeck process). */
import type { Random } from '../random.ts';

export interface Wandering {
  readonly mean: number;
  /** How far it usually is from the mean (standard deviation). */
  readonly spread: number;
  /** How long it remembers where it was, in seconds. */
  readonly memoryS: number;
  readonly min: number;
  readonly max: number;
}

export class Wander {
  readonly #random: Random;
  readonly #how: Wandering;
  #value: number;
  #atMs = 0;

  constructor(random: Random, how: Wandering) {
    this.#random = random;
    this.#how = how;
    this.#value = how.mean + how.spread * random.normal();
  }

  /** The value at a time after the start; times must not fall. Always within `min` and `max`. */
  at(atMs: number): number {
    const { mean, spread, memoryS, min, max } = this.#how;
    const kept = Math.exp(-Math.max(0, atMs - this.#atMs) / 1000 / memoryS);
    this.#atMs = atMs;
    this.#value = mean + (this.#value - mean) * kept + spread * Math.sqrt(1 - kept * kept) * this.#random.normal();
    return Math.min(max, Math.max(min, this.#value));
  }
}
