/**
 * How many handshakes the gateway takes on: each costs it a key exchange, and a session if all is right, so they have a
 * rate by address and one in all. To be asked for every HELLO, and for every sealed REPORT, before anything is computed.
 */
import type { RateLimitedLog } from '../log.ts';
import { addressKey } from './address-key.ts';
import { KeyedBuckets } from './keyed-buckets.ts';
import { BURST_S, TokenBucket } from './token-bucket.ts';

export interface HandshakeLimits {
  /** In all. */
  readonly handshakesPerS: number;
  readonly handshakesPerAddressPerS: number;
}

/** A peer is told to wait no longer than this, seconds. */
const MAX_WAIT_S = 60;

export class HandshakeGate {
  /** Handshakes not taken on, by the limit that was reached. */
  readonly refused = { inAll: 0, byAddress: 0 };
  readonly #limits: HandshakeLimits;
  readonly #log: RateLimitedLog;
  readonly #all: TokenBucket;
  readonly #byAddress: KeyedBuckets;

  /** @param now monotonic milliseconds */
  constructor(limits: HandshakeLimits, now: () => number, log: RateLimitedLog) {
    this.#limits = limits;
    this.#log = log;
    const { handshakesPerS, handshakesPerAddressPerS } = limits;
    this.#all = new TokenBucket(handshakesPerS * BURST_S, handshakesPerS, now);
    this.#byAddress = new KeyedBuckets(handshakesPerAddressPerS * BURST_S, handshakesPerAddressPerS, now);
  }

  /**
   * 0: go ahead. Otherwise whole seconds that the peer should wait before it tries again.
   * @param address as the socket tells it; for a serial line or a Unix-domain socket anything that names it
   */
  admit(address: string): number {
    const mine = this.#byAddress.of(addressKey(address));
    // First by address: one that has used up its own takes nothing from the others.
    if (!mine.take()) {
      this.refused.byAddress++;
      return this.#refuse('limits.handshakes_per_address_per_s', this.#limits.handshakesPerAddressPerS, mine, address);
    }
    if (this.#all.take()) return 0;
    this.refused.inAll++;
    return this.#refuse('limits.handshakes_per_s', this.#limits.handshakesPerS, this.#all, address);
  }

  #refuse(limit: string, value: number, bucket: TokenBucket, address: string): number {
    this.#log.warn(
      `handshake-rate ${limit}`,
      { limit, address },
      `a handshake was refused: ${limit} (${value}) is used up`,
    );
    return Math.min(MAX_WAIT_S, Math.max(1, Math.ceil(bucket.waitMs() / 1_000)));
  }
}
