/**
 * The datagrams that have arrived and wait: bounded by count and by bytes; a new one pushes the oldest out.
 *
 * ```
 *   slots  [ – | – | d₇ | d₈ | d₉ | – | – | – ]      a power of two, grows up to the limit and stays
 *                     ↑ head       ↑ head + count
 * ```
 */
import type { Datagram } from './source.ts';

/** What a datagram costs besides its bytes: two objects and an address. */
const OVERHEAD_BYTES = 200;
const FIRST_SLOTS = 16;

export class DatagramRing {
  /** Datagrams pushed out, or too large for the ring, since the start. */
  dropped = 0;
  count = 0;
  #slots: (Datagram | undefined)[] = Array.from({ length: FIRST_SLOTS }, () => undefined);
  #head = 0;
  #bytes = 0;
  readonly #maxCount: number;
  readonly #maxBytes: number;

  constructor(maxCount: number, maxBytes: number) {
    if (!(maxCount >= 1 && maxBytes >= 1)) throw new RangeError('a ring holds at least one datagram and one byte');
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  /** Memory held, about: the datagrams' bytes and what goes with each. */
  get bytes(): number {
    return this.#bytes;
  }

  push(datagram: Datagram): void {
    const cost = costOf(datagram);
    if (cost > this.#maxBytes) {
      this.dropped++;
      return;
    }
    while (this.count >= this.#maxCount || this.#bytes + cost > this.#maxBytes) {
      this.shift();
      this.dropped++;
    }
    if (this.count === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.count) & (this.#slots.length - 1)] = datagram;
    this.count++;
    this.#bytes += cost;
  }

  shift(): Datagram | undefined {
    const datagram = this.#slots[this.#head];
    if (datagram === undefined) return undefined;
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.count--;
    this.#bytes -= costOf(datagram);
    return datagram;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = Array.from({ length: old.length * 2 }, (_, i) => old[(this.#head + i) & (old.length - 1)]);
    this.#slots.fill(undefined, old.length);
    this.#head = 0;
  }
}

function costOf(datagram: Datagram): number {
  return datagram.bytes.length + OVERHEAD_BYTES;
}
