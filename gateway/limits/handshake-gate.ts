/**
 * How many handshakes the gateway takes on: each costs it a key exchange, and a session if all is right, so they have a
 * rate by address and one in all. To be asked for every HELLO, and for every sealed REPORT, before anything is computed.
 */
import { addressKey } from './address-key.ts';
import { KeyedBuckets } from './keyed-buckets.ts';
import type { LimitName, LimitWatch } from './limit-watch.ts';
import { BURST_S, TokenBucket } from './token-bucket.ts';

export interface HandshakeLimits {
  /** In all. */
  readonly handshakesPerS: number;
  readonly handshakesPerAddressPerS: number;
}

/** A peer is told to wait no longer than this, seconds. */
const MAX_WAIT_S = 60;

export class HandshakeGate {
  readonly #watch: LimitWatch;
  readonly #all: TokenBucket;
  readonly #byAddress: KeyedBuckets;

  /** @param now monotonic milliseconds */
  constructor(limits: HandshakeLimits, now: () => number, watch: LimitWatch) {
    this.#watch = watch;
    const inAll = (): number => limits.handshakesPerS;
    const byAddress = (): number => limits.handshakesPerAddressPerS;
    this.#all = new TokenBucket(() => inAll() * BURST_S, inAll, now);
    this.#byAddress = new KeyedBuckets(() => byAddress() * BURST_S, byAddress, now);
  }

  /**
   * 0: go ahead. Otherwise whole seconds that the peer should wait before it tries again.
   * @param address as the socket tells it; for a serial line or a Unix-domain socket anything that names it
   */
  admit(address: string): number {
    const mine = this.#byAddress.of(addressKey(address));
    // First by address: one that has used up its own takes nothing from the others.
    if (!mine.take()) return this.#refuse('handshakes_per_address_per_s', mine, address);
    if (!this.#all.take()) return this.#refuse('handshakes_per_s', this.#all, address);
    return 0;
  }

  #refuse(limit: LimitName, bucket: TokenBucket, address: string): number {
    this.#watch.bite(limit, 'handshakes', `one from ${address} was refused`, { address });
    return Math.min(MAX_WAIT_S, Math.max(1, Math.ceil(bucket.waitMs() / 1_000)));
  }
}
