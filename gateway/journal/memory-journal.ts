/**
 * The journal in memory: nothing survives the process, everything else is as the contract says. A ring that grows to
 * its cap:
 *
 * ```
 *   lsn   head            durable   next-1
 *          ├── publisher ───┤─ turn ──┤        slot = lsn mod size; a released record leaves a hole until it is the head
 * ```
 */
import { APPEND_HEADROOM, type Journal, type JournalRecord, type JournalStats } from './journal.ts';

export interface MemoryJournalOptions {
  /** Records between head and newest, default 100,000. */
  readonly maxRecords?: number;
}

const FIRST_SIZE = 1024;

export class MemoryJournal implements Journal {
  onDurable: (() => void) | undefined;
  onRoom: (() => void) | undefined;
  readonly #maxRecords: number;
  /** After having been full it takes records again below this, so that the devices are not stopped for each one. */
  readonly #lowWater: number;
  /** Length is a power of two. */
  #ring: (JournalRecord | undefined)[] = Array.from({ length: FIRST_SIZE });
  #head = 1;
  #next = 1;
  #durable = 0;
  #full = false;
  #depth = 0;
  #released = 0;
  #refused = 0;
  #commits = 0;

  constructor(options: MemoryJournalOptions = {}) {
    const { maxRecords = 100_000 } = options;
    if (!Number.isInteger(maxRecords) || maxRecords < 1) throw new RangeError('maxRecords must be a positive integer');
    this.#maxRecords = maxRecords;
    this.#lowWater = maxRecords - Math.ceil(maxRecords / 16);
  }

  async open(): Promise<void> {}

  append(record: JournalRecord): number | undefined {
    if (this.#full && this.#next - this.#head >= this.#maxRecords + APPEND_HEADROOM) {
      this.#refused++;
      return undefined;
    }
    const lsn = this.#next++;
    if (lsn - this.#head >= this.#ring.length) this.#grow();
    this.#ring[lsn & (this.#ring.length - 1)] = record;
    this.#depth++;
    if (this.#next - this.#head >= this.#maxRecords) this.#full = true;
    return lsn;
  }

  commit(): void {
    if (this.#durable === this.#next - 1) return;
    this.#durable = this.#next - 1;
    this.#commits++;
    this.onDurable?.();
  }

  get durable(): number {
    return this.#durable;
  }

  get full(): boolean {
    return this.#full;
  }

  get(lsn: number): JournalRecord | undefined {
    if (lsn < this.#head || lsn > this.#durable) return undefined;
    return this.#ring[lsn & (this.#ring.length - 1)];
  }

  get head(): number {
    return this.#head;
  }

  release(lsn: number): void {
    if (this.get(lsn) === undefined) return;
    const mask = this.#ring.length - 1;
    this.#ring[lsn & mask] = undefined;
    this.#depth--;
    this.#released++;
    while (this.#head <= this.#durable && this.#ring[this.#head & mask] === undefined) this.#head++;
    if (this.#full && this.#next - this.#head <= this.#lowWater) {
      this.#full = false;
      this.onRoom?.();
    }
  }

  get stats(): JournalStats {
    return {
      depth: this.#depth,
      oldestAt: this.#depth === 0 ? undefined : this.#ring[this.#head & (this.#ring.length - 1)]?.receivedAt,
      appended: this.#next - 1,
      released: this.#released,
      refused: this.#refused,
      syncs: this.#commits,
      bytesWritten: 0,
    };
  }

  async close(): Promise<void> {}

  #grow(): void {
    const old = this.#ring;
    const ring: (JournalRecord | undefined)[] = Array.from({ length: old.length * 2 });
    for (let lsn = this.#head; lsn < this.#head + old.length; lsn++) {
      ring[lsn & (ring.length - 1)] = old[lsn & (old.length - 1)];
    }
    this.#ring = ring;
  }
}
