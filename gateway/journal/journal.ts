/**
 * The journal between the device's ACK and the broker's PUBACK.
 *
 * ```
 *   append ─→ [ appended ] ─ commit ─→ [ durable ] ─ publisher ─→ release ─→ gone
 *                                          └→ onDurable: the session acknowledges to the device
 * ```
 *
 * Log sequence numbers (lsn) count up by one from 1.
 */
import type { Device } from '../devices/device.ts';
import type { Sample } from '../../protocol/index.ts';

/** The readings of one frame. Identity is (device, boot, seq). */
export interface JournalRecord {
  readonly device: Device;
  readonly boot: number;
  readonly seq: number;
  /** Gateway's wall clock at reception, Unix milliseconds. */
  readonly receivedAt: number;
  /** With `time` already mapped to Unix milliseconds (`timeKind` 'unix'), oldest first. Never empty. */
  readonly samples: readonly Sample[];
}

export interface JournalStats {
  /** Records appended and not yet released. */
  depth: number;
  /** Unix milliseconds of the oldest of them, or undefined. */
  oldestAt: number | undefined;
  appended: number;
  released: number;
  /** Appends refused because the journal was full. */
  refused: number;
  syncs: number;
  bytesWritten: number;
}

/** Records that `append` takes after `full` has turned true; the largest window of a device. */
export const APPEND_HEADROOM = 32;

export interface Journal {
  /** Reads what an earlier run left. */
  open(): Promise<void>;
  /** Takes the record and returns its lsn, or undefined when full (the device is told BUSY). Not durable yet. */
  append(record: JournalRecord): number | undefined;
  /** Called once at the end of a turn: starts making durable what was appended. */
  commit(): void;
  /** The highest lsn that is durable. */
  readonly durable: number;
  /** Called after `durable` has moved; never from inside `append`. */
  onDurable: (() => void) | undefined;
  /**
   * The high-water mark is reached: sessions drop their read interest. `append` still takes APPEND_HEADROOM records,
   * because one frame that fills a hole can set a whole window of others free.
   */
  readonly full: boolean;
  /** Called when `full` turns false. */
  onRoom: (() => void) | undefined;
  /** The record with this lsn, or undefined when it is not there (not durable yet, released). */
  get(lsn: number): JournalRecord | undefined;
  /** The lowest lsn not released; the publisher starts here. `durable + 1` when there is none. */
  readonly head: number;
  /** The broker has accepted it (or it is dead-lettered). Any order. */
  release(lsn: number): void;
  readonly stats: JournalStats;
  close(): Promise<void>;
}
