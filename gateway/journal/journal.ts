/**
 * The journal between the device's ACK and the broker's PUBACK.
 *
 * ```
 *   append ─→ [ appended ] ─ commit ─→ [ durable ] ─ publisher ─ accepted ─→ [ held ] ─ hold rule ─→ gone
 *                                          └→ onDurable: the session acknowledges to the device
 * ```
 *
 * Log sequence numbers (lsn) count up by one from 1 and are never given twice within one journal.
 */
import type { Sample, Schema } from '../../protocol/index.ts';
import type { Device } from '../devices/device.ts';

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

/** What must be known of a device after a restart, besides its records. */
export interface DeviceState {
  /** 16 lowercase hex digits. */
  readonly id: string;
  readonly boot: number;
  /** Every reliable frame of that boot before this seq is in the journal, was in it, or was given up. */
  readonly nextSeq: number;
  /** The schema it has declared, and the CRC that names it; undefined and 0: none. */
  readonly schema: Schema | undefined;
  readonly schemaCrc: number;
}

export interface JournalStats {
  /** Records durable or appended and not yet accepted by the broker. */
  depth: number;
  /** Unix milliseconds of the oldest of them, or undefined. */
  oldestAt: number | undefined;
  /** Records accepted and kept for a broker that comes back without them. */
  held: number;
  /** Records appended in this run. */
  appended: number;
  /** The highest lsn of `accepted`. */
  accepted: number;
  /** Appends refused because the journal was full. */
  refused: number;
  syncs: number;
  bytesWritten: number;
  /** Bytes of the files at present. */
  bytesOnDisk: number;
  /** Damaged places found at the start, with the records that they have cost. */
  damaged: number;
  /** Why nothing becomes durable at present, in a stable word: 'disk-full', 'io-error', … */
  trouble: string | undefined;
}

/** Records that `append` takes after `full` has turned true; the largest window of a device. */
export const APPEND_HEADROOM = 32;

export interface Journal {
  /** A random name of this journal: lsns of another one mean nothing. */
  readonly id: string;
  /**
   * Reads what an earlier run left. `restore` turns a device's state into the device, once for each device found, in the
   * order of their newest records and before any record of it; also later, for a device of which only old records are
   * left. `prepare` is called with each record that comes from disk, before anybody sees it.
   */
  open(restore: (state: DeviceState) => Device, prepare?: (record: JournalRecord) => void): Promise<void>;
  /** Called with every record that was taken, for whoever looks on; it must not call back into the journal. */
  onAppended: ((record: JournalRecord) => void) | undefined;
  /** Takes the record and returns its lsn, or undefined when full (the device is told BUSY). Not durable yet. */
  append(record: JournalRecord): number | undefined;
  /**
   * Remembers a device's boot, order or schema where no record says it: at a new boot, when holes were given up, when a
   * schema came. Becomes durable in order with the records.
   */
  noteDevice(state: DeviceState): void;
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
  /**
   * The record with this lsn; undefined when it is not there (not durable, gone, quarantined); 'loading' when it is
   * being read from disk: `onLoaded` follows. Records are asked for mostly in order, by at most two readers.
   */
  get(lsn: number): JournalRecord | 'loading' | undefined;
  onLoaded: (() => void) | undefined;
  /** The oldest lsn that is still kept; `durable + 1` when there is none. */
  readonly oldest: number;
  /** Everything up to this lsn was accepted by the broker (or dead-lettered), as an earlier or this run has said. */
  readonly accepted: number;
  /** The broker has accepted everything up to `lsn`; it may fall (a broker that came back without its newest). */
  setAccepted(lsn: number): void;
  /**
   * The broker has acknowledged a watermark that says `lsn`. Only now may what is held up to there grow too old: while
   * the broker is away nothing is let go for its age, because it may come back without its newest.
   */
  setConfirmed(lsn: number): void;
  readonly stats: JournalStats;
  close(): Promise<void>;
}
