/** Answers that promise something: they go out when what they promise is durable, in the order in which they came up. */
import type { Reply } from '../../../protocol/index.ts';

interface Held {
  readonly bytes: Uint8Array;
  /** What has to be durable. */
  readonly lsn: number;
}

/** So many wait at the most: then nothing more is read. */
const MAX_HELD = 64;

export class HeldReplies {
  readonly #held: Held[] = [];
  readonly #write: (bytes: Uint8Array) => void;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  get waiting(): boolean {
    return this.#held.length > 0;
  }

  get full(): boolean {
    return this.#held.length >= MAX_HELD;
  }

  /** Sends what may go now, and keeps the rest: what comes after an answer that waits, waits too. */
  add(replies: readonly Reply[], lsn: number, durable: number): void {
    for (const { bytes, afterDurable } of replies) {
      if (!this.waiting && (!afterDurable || lsn <= durable)) this.#write(bytes);
      else this.#held.push({ bytes, lsn: afterDurable ? lsn : 0 });
    }
  }

  /** More has become durable. */
  release(durable: number): void {
    let sent = 0;
    while (sent < this.#held.length && this.#held[sent]!.lsn <= durable) this.#write(this.#held[sent++]!.bytes);
    this.#held.splice(0, sent);
  }
}
