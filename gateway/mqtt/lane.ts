/**
 * One way of records to the broker, in order: what was sent of it and what of that was accepted.
 *
 * ```
 *              done             next            end
 *   … accepted │ in flight, some │ to be sent … │        slot = lsn mod SLOTS
 *              └─ at most SLOTS ─┘
 * ```
 *
 * The slots are typed arrays: no allocation and no hashing for a record on its way.
 */
export const SLOTS = 8_192;
const MASK = SLOTS - 1;

/** Flags of a record in flight; the lowest three bits are its transport. */
export const TRANSPORT_BITS = 0x07;
export const LATE = 0x08;

export class Lane {
  /** The record to be sent next, and how many of its samples were sent already. */
  next = 1;
  sample = 0;
  /** Every record of this lane below is accepted, or was set aside. */
  done = 1;
  /** The last record of the lane, included. */
  end = Number.POSITIVE_INFINITY;
  /** Messages that wait for the broker's answer. */
  inFlight = 0;
  /** Messages of a record that are not acknowledged yet. */
  readonly #left = new Uint16Array(SLOTS);
  readonly #flags = new Uint8Array(SLOTS);
  /** The highest reason code that the broker gave to a message of the record. */
  readonly #reason = new Uint8Array(SLOTS);

  /** Begins anew with these records; the flags of what was in flight stay. */
  restart(from: number, end: number): void {
    this.next = from;
    this.done = from;
    this.end = end;
    this.sample = 0;
    this.inFlight = 0;
  }

  get active(): boolean {
    return this.done <= this.end;
  }

  /** Whether one more record can be on its way. */
  get hasSlot(): boolean {
    return this.next - this.done < SLOTS;
  }

  /** The record `next` is about to be sent, in so many messages. */
  begin(messages: number, flags: number): void {
    const slot = this.next & MASK;
    this.#left[slot] = messages;
    this.#flags[slot] = flags;
    this.#reason[slot] = 0;
  }

  /** So many messages of the record `next` were sent, and with them it is complete or not. */
  sent(messages: number, complete: boolean): void {
    this.inFlight += messages;
    if (complete) {
      this.next++;
      this.sample = 0;
    } else {
      this.sample += messages;
    }
  }

  /** The record `next` is not there. */
  skip(): void {
    this.#left[this.next & MASK] = 0;
    this.next++;
    this.advance();
  }

  /** An answer has come; true when it was the last that its record waited for. */
  answered(lsn: number, reason: number): boolean {
    const slot = lsn & MASK;
    this.inFlight--;
    if (reason > this.#reason[slot]!) this.#reason[slot] = reason;
    return --this.#left[slot]! === 0;
  }

  flags(lsn: number): number {
    return this.#flags[lsn & MASK]!;
  }

  /** The worst that the broker has said to a message of this record. */
  reason(lsn: number): number {
    return this.#reason[lsn & MASK]!;
  }

  /** Moves `done` over what is complete. */
  advance(): void {
    while (this.done < this.next && this.#left[this.done & MASK] === 0) this.done++;
  }

  /** Records sent, in whole or in part, and not answered completely. */
  get unanswered(): number {
    let count = this.sample > 0 ? 1 : 0;
    for (let lsn = this.done; lsn < this.next; lsn++) if (this.#left[lsn & MASK] !== 0) count++;
    return count;
  }
}
