/**
 * The journal in memory: nothing survives the process, everything else is as the contract says. A ring that grows to
 * its cap:
 *
 * ```
 *   lsn   oldest     accepted          durable   next − 1
 *          ├── held ────┤── publisher ────┤─ turn ──┤        slot = lsn mod size
 * ```
 */
import { randomBytes } from 'node:crypto';
import type { Device } from '../devices/device.ts';
import { APPEND_HEADROOM, type DeviceState, type Journal, type JournalRecord, type JournalStats } from './journal.ts';

export interface MemoryJournalOptions {
  /** Records not yet accepted, default 100,000. */
  readonly maxRecords?: number;
  /** Accepted records kept for a broker that comes back without them, default 1,000. */
  readonly maxHeld?: number;
}

const FIRST_SIZE = 1024;

export class MemoryJournal implements Journal {
  readonly id = randomBytes(8).toString('hex');
  onAppended: ((record: JournalRecord) => void) | undefined;
  onDurable: (() => void) | undefined;
  onRoom: (() => void) | undefined;
  /** Never called: what is here is here. */
  onLoaded: (() => void) | undefined;
  readonly #maxRecords: number;
  readonly #maxHeld: number;
  /** After having been full it takes records again below this, so that the devices are not stopped for each one. */
  readonly #lowWater: number;
  /** Length is a power of two. */
  #ring: (JournalRecord | undefined)[] = Array.from({ length: FIRST_SIZE });
  #oldest = 1;
  #accepted = 0;
  #durable = 0;
  #next = 1;
  #full = false;
  #refused = 0;
  #commits = 0;

  constructor(options: MemoryJournalOptions = {}) {
    const { maxRecords = 100_000, maxHeld = 1_000 } = options;
    if (!Number.isInteger(maxRecords) || maxRecords < 1) throw new RangeError('maxRecords must be a positive integer');
    if (!Number.isInteger(maxHeld) || maxHeld < 0) throw new RangeError('maxHeld must be an integer from 0');
    this.#maxRecords = maxRecords;
    this.#maxHeld = maxHeld;
    this.#lowWater = maxRecords - Math.ceil(maxRecords / 16);
  }

  async open(_restore: (state: DeviceState) => Device): Promise<void> {}

  append(record: JournalRecord): number | undefined {
    if (this.#full && this.#depth >= this.#maxRecords + APPEND_HEADROOM) {
      this.#refused++;
      return undefined;
    }
    const lsn = this.#next++;
    if (lsn - this.#oldest >= this.#ring.length) this.#grow();
    this.#ring[lsn & (this.#ring.length - 1)] = record;
    if (this.#depth >= this.#maxRecords) this.#full = true;
    this.onAppended?.(record);
    return lsn;
  }

  /** Nothing of it outlives the process. */
  noteDevice(_state: DeviceState): void {}

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
    if (lsn < this.#oldest || lsn > this.#durable) return undefined;
    return this.#ring[lsn & (this.#ring.length - 1)];
  }

  get oldest(): number {
    return this.#oldest;
  }

  get accepted(): number {
    return this.#accepted;
  }

  setAccepted(lsn: number): void {
    this.#accepted = Math.max(this.#oldest - 1, Math.min(lsn, this.#durable));
    const mask = this.#ring.length - 1;
    while (this.#oldest <= this.#accepted - this.#maxHeld) this.#ring[this.#oldest++ & mask] = undefined;
    if (this.#full && this.#depth <= this.#lowWater) {
      this.#full = false;
      this.onRoom?.();
    }
  }

  /** What is held is counted, not timed. */
  setConfirmed(_lsn: number): void {}

  get stats(): JournalStats {
    return {
      depth: this.#depth,
      oldestAt: this.#ring[(this.#accepted + 1) & (this.#ring.length - 1)]?.receivedAt,
      held: this.#accepted + 1 - this.#oldest,
      appended: this.#next - 1,
      accepted: this.#accepted,
      refused: this.#refused,
      syncs: this.#commits,
      bytesWritten: 0,
      bytesOnDisk: 0,
      damaged: 0,
      trouble: undefined,
    };
  }

  async close(): Promise<void> {}

  get #depth(): number {
    return this.#next - 1 - this.#accepted;
  }

  #grow(): void {
    const old = this.#ring;
    const ring: (JournalRecord | undefined)[] = Array.from({ length: old.length * 2 });
    for (let lsn = this.#oldest; lsn < this.#oldest + old.length; lsn++) {
      ring[lsn & (ring.length - 1)] = old[lsn & (old.length - 1)];
    }
    this.#ring = ring;
  }
}
