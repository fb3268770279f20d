/**
 * Records that the broker has refused: out of the way of the others, until their fate is decided.
 *
 * ```
 *   refused ─┬─ passing reason (busy, quota …) ─→ wait 1, 2, 4 … 60 s ─→ sent again ─┬─→ accepted
 *            │                     ↑                                                 │
 *            │                     └──────────────── refused again ←─────────────────┤
 *            └─ final reason (not authorized, too large …) ─→ dead letter ─→ gone    │
 *                                          ↑                                         │
 *                                          └──────────────── refused for good ←──────┘
 * ```
 *
 * Whatever is in here holds the journal's `accepted` back; everything else goes on, until `full`.
 */
import type { Journal, JournalRecord } from '../journal/journal.ts';
import { REASON_REFUSED } from './outbox.ts';

/** As many records may be set aside; then no new ones are sent until some are decided. */
export const MAX_ASIDE = 1_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** A dead letter that could not be written, or a record that is not read yet, is tried again after this. */
const TRY_AGAIN_MS = 1_000;

/**
 * MQTT 5 reason codes that may be another tomorrow (sections 2.4 and 3.4.2.1): implementation specific error, server
 * unavailable, server busy, receive maximum exceeded, message rate too high, quota exceeded, QoS not supported.
 */
const PASSING: ReadonlySet<number> = new Set([0x83, 0x88, 0x89, 0x93, 0x96, 0x97, 0x9b]);

export function isPassing(reasonCode: number): boolean {
  return PASSING.has(reasonCode);
}

export interface SetAsideOptions {
  readonly journal: Journal;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Sends samples of the record from `first` on, at most what there is room for, and returns how many. */
  readonly send: (lsn: number, record: JournalRecord, first: number) => number;
  /** Keeps the record durably as a dead letter; rejects when that failed, and is tried again. */
  readonly bury: (record: JournalRecord, reasonCode: number) => Promise<void>;
  /** A record was decided: 'accepted' by the broker, 'buried', or 'missing' from the journal. */
  readonly onDecided: (lsn: number, record: JournalRecord | undefined, fate: Fate) => void;
}

export type Fate = 'accepted' | 'buried' | 'missing';

interface Entry {
  readonly lsn: number;
  state: 'waiting' | 'sending' | 'final' | 'burying';
  /** Refusals so far. */
  attempts: number;
  dueAt: number;
  reason: number;
  /** Samples sent in this attempt, and of these not answered. */
  sent: number;
  left: number;
  samples: number;
}

export class SetAside {
  /** Attempts to send a record after a passing refusal. */
  retried = 0;
  readonly #options: SetAsideOptions;
  readonly #entries = new Map<number, Entry>();
  #lowest = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SetAsideOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get full(): boolean {
    return this.#entries.size >= MAX_ASIDE;
  }

  /** The lowest lsn in here; infinite when there is none. */
  get lowest(): number {
    return this.#lowest;
  }

  /** Ascending. */
  get lsns(): number[] {
    return Array.from(this.#entries.keys()).toSorted((a, b) => a - b);
  }

  /** The broker has refused the record. */
  add(lsn: number, reason: number): void {
    const known = this.#entries.get(lsn);
    // It was sent once more, after a reset, while its dead letter is being written.
    if (known !== undefined) return;
    const entry: Entry = { lsn, state: 'waiting', attempts: 0, dueAt: 0, reason, sent: 0, left: 0, samples: 0 };
    this.#entries.set(lsn, entry);
    this.#lowest = Math.min(this.#lowest, lsn);
    this.#refused(entry);
  }

  /** An answer to a message; false when it is not for one of these. */
  answered(lsn: number, reason: number): boolean {
    const entry = this.#entries.get(lsn);
    if (entry?.state !== 'sending' || entry.left === 0) return false;
    entry.left--;
    if (reason > entry.reason) entry.reason = reason;
    if (entry.left > 0 || entry.sent < entry.samples) return true;
    if (entry.reason >= REASON_REFUSED) this.#refused(entry);
    else this.#decided(entry, 'accepted');
    return true;
  }

  /** Sends what is due, as far as there is room. */
  serve(): void {
    const now = this.#options.now();
    for (const entry of this.#entries.values()) {
      if (entry.state === 'final' && entry.dueAt <= now) void this.#bury(entry);
      else if (entry.state === 'waiting' && entry.dueAt <= now) this.#begin(entry);
      if (entry.state === 'sending' && entry.sent < entry.samples && !this.#send(entry)) break;
    }
    this.#schedule();
  }

  /** The connection is lost: what is not final is among the pending records of the next one. */
  reset(): void {
    for (const [lsn, { state }] of this.#entries) {
      if (state === 'waiting' || state === 'sending') this.#entries.delete(lsn);
    }
    this.#findLowest();
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  // ---------------------------------------------------------------------------------------------------------------

  #refused(entry: Entry): void {
    const now = this.#options.now();
    if (isPassing(entry.reason)) {
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(entry.attempts, 16));
      entry.attempts++;
      entry.state = 'waiting';
      entry.dueAt = now + wait;
      this.#schedule();
    } else {
      entry.state = 'final';
      entry.dueAt = now;
      void this.#bury(entry);
    }
  }

  #begin(entry: Entry): void {
    const record = this.#recordOf(entry);
    if (record === undefined) return;
    entry.state = 'sending';
    entry.samples = record.samples.length;
    entry.sent = 0;
    entry.left = 0;
    entry.reason = 0;
    this.retried++;
  }

  /** False when there was not enough room. */
  #send(entry: Entry): boolean {
    const record = this.#recordOf(entry);
    if (record === undefined) return true;
    const count = this.#options.send(entry.lsn, record, entry.sent);
    entry.sent += count;
    entry.left += count;
    return entry.sent === entry.samples;
  }

  async #bury(entry: Entry): Promise<void> {
    const record = this.#recordOf(entry);
    if (record === undefined) return;
    entry.state = 'burying';
    try {
      await this.#options.bury(record, entry.reason);
    } catch {
      entry.state = 'final';
      entry.dueAt = this.#options.now() + TRY_AGAIN_MS;
      this.#schedule();
      return;
    }
    this.#decided(entry, 'buried');
  }

  /** The record, or undefined when it has to be waited for, or is not there and so decided. */
  #recordOf(entry: Entry): JournalRecord | undefined {
    const record = this.#options.journal.get(entry.lsn);
    if (record === 'loading') entry.dueAt = this.#options.now() + TRY_AGAIN_MS;
    else if (record === undefined) this.#decided(entry, 'missing');
    else return record;
    this.#schedule();
    return undefined;
  }

  #decided(entry: Entry, fate: Fate): void {
    const { lsn } = entry;
    const record = this.#options.journal.get(lsn);
    this.#entries.delete(lsn);
    if (lsn === this.#lowest) this.#findLowest();
    this.#options.onDecided(lsn, record === 'loading' ? undefined : record, fate);
  }

  #findLowest(): void {
    this.#lowest = Number.POSITIVE_INFINITY;
    for (const lsn of this.#entries.keys()) if (lsn < this.#lowest) this.#lowest = lsn;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    let dueAt = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (entry.state === 'waiting' || entry.state === 'final') dueAt = Math.min(dueAt, entry.dueAt);
    }
    if (dueAt === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.serve(), Math.max(1, dueAt - this.#options.now()));
    this.#timer.unref();
  }
}
