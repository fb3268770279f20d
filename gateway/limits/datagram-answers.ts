/**
 * What may be answered to a datagram that belongs to no session, since its sender can be forged:
 *
 * - never more than one and a half times its size, so that nobody gains by having us answer a victim;
 * - only so many a second to one address. This also ends a game of two services that answer each other: the first
 *   datagram of theirs that finds no allowance is the last (CERT advisory CA-1996-01).
 */
import { addressKey } from './address-key.ts';
import { KeyedBuckets } from './keyed-buckets.ts';
import type { LimitWatch } from './limit-watch.ts';
import { type Amount, BURST_S, valueOf } from './token-bucket.ts';

const MAX_GAIN = 1.5;

export class DatagramAnswers {
  readonly #buckets: KeyedBuckets;
  readonly #watch: LimitWatch;

  /** @param now monotonic milliseconds */
  constructor(answersPerS: Amount, now: () => number, watch: LimitWatch) {
    this.#buckets = new KeyedBuckets(() => valueOf(answersPerS) * BURST_S, answersPerS, now);
    this.#watch = watch;
  }

  /** Asked right before sending; `where` is the source. Sizes in bytes of the datagrams' contents. */
  allows(address: string, requestBytes: number, answerBytes: number, where: string): boolean {
    if (answerBytes > requestBytes * MAX_GAIN) return false;
    if (this.#buckets.of(addressKey(address)).take()) return true;
    this.#watch.bite('answers_per_s', where, 'a datagram was not answered', { address });
    return false;
  }
}
