/**
 * Reads what an earlier run left, and changes nothing. Any content is taken: a start never fails for what is on disk.
 *
 * ```
 *   older segments          the newest segment with a whole beginning
 *   only their headers      HEADER DEVICE … MARK group │ MARK group │ MARK group ┊ torn
 *                           └─ checkpoint ─┘                        └ the last group: maybe never durable, hence
 *                           └──── beginning ─────────┘                written again before it counts
 * ```
 *
 * A MARK says from where on its group was written; all before that was durable then. So a bad place before the `start`
 * of some later MARK is damage, and reading goes on behind it; any other bad place is the torn tail, and the rest is
 * cut off: what comes behind it was never acknowledged, and counting it would put the dedup state ahead of the records.
 */
import { DeviceStates } from './device-states.ts';
import type { JournalFs } from './journal-fs.ts';
import {
  findRecord,
  HEADER_RECORD_BYTES,
  KIND,
  kindAt,
  lsnAt,
  readHeader,
  readMark,
  recordAt,
  saltRecords,
  type SegmentHeader,
  segmentSalt,
} from './record-codec.ts';
import { parseName, type Segment } from './segment.ts';

export interface RecoveredJournal {
  /** Undefined when there is no journal yet, or nothing of it can be read. */
  readonly journalId: string | undefined;
  /** In order. */
  readonly segments: Segment[];
  /** Files of segments that were begun and never became durable. */
  readonly voids: readonly string[];
  /** Files of which nothing can be read, though there was something. */
  readonly unreadable: readonly string[];
  readonly spares: readonly { readonly name: string; readonly bytes: number }[];
  /** Higher than any number in use. */
  readonly nextNumber: number;
  /** The highest lsn that is certainly durable. */
  readonly durable: number;
  readonly accepted: number;
  /** As of `durable`. */
  readonly states: DeviceStates;
  /** RECORDs and DEVICEs, their salt taken off, that have to be written again before they count. */
  readonly lastGroup: Uint8Array;
  /** The lsn of its last RECORD, or `durable`. */
  readonly lastLsn: number;
  /** Damaged places found. */
  readonly damaged: number;
}

interface Found {
  readonly file: { readonly name: string; readonly bytes: number };
  readonly number: number;
  readonly header: SegmentHeader;
}

export async function recoverJournal(fs: JournalFs, maxDevices: number): Promise<RecoveredJournal> {
  const spares: { name: string; bytes: number }[] = [];
  const candidates: { file: { name: string; bytes: number }; number: number; header: SegmentHeader | undefined }[] = [];
  let nextNumber = 1;
  for (const file of await fs.list()) {
    const parsed = parseName(file.name);
    if (parsed === undefined) continue;
    nextNumber = Math.max(nextNumber, parsed.number + 1);
    if (parsed.spare) spares.push(file);
    else {
      const header = readHeader(await readFile(fs, file.name, HEADER_RECORD_BYTES));
      candidates.push({ file, number: parsed.number, header: header?.number === parsed.number ? header : undefined });
    }
  }
  candidates.sort((a, b) => a.number - b.number);
  const journalId = candidates.findLast(({ header }) => header !== undefined)?.header?.journalId;
  const found: Found[] = [];
  const voids: string[] = [];
  const unreadable: string[] = [];
  let damaged = 0;
  for (const [i, { file, number, header }] of candidates.entries()) {
    if (journalId !== undefined && header?.journalId === journalId) found.push({ file, number, header });
    else {
      const bytes = await readFile(fs, file.name, file.bytes);
      const salvaged = journalId === undefined ? undefined : salvageHeader(bytes, journalId, number);
      if (salvaged !== undefined) found.push({ file, number, header: salvaged });
      else if (bytes.every((byte) => byte === 0)) voids.push(file.name);
      else {
        // The newest one may just have been begun when the power went.
        const newest = i === candidates.length - 1;
        if (!newest) damaged++;
        (newest && journalId !== undefined && header === undefined ? voids : unreadable).push(file.name);
      }
    }
  }
  if (journalId === undefined) {
    const states = new DeviceStates(maxDevices);
    const nothing = { durable: 0, accepted: 0, states, lastGroup: new Uint8Array(0), lastLsn: 0 };
    return { journalId, segments: [], voids, unreadable, spares, nextNumber, ...nothing, damaged };
  }
  const scan = new Scan(maxDevices);
  scan.damaged = damaged;
  const segments = await scanFrom(fs, found, journalId, scan, voids);
  const { durable, states, lastGroup } = scan;
  const oldest = segments[0]?.firstLsn ?? durable + 1;
  const accepted = Math.max(Math.min(scan.accepted, durable), Math.min(oldest - 1, durable));
  const { lastLsn } = scan;
  const files = { segments, voids, unreadable, spares, nextNumber };
  return {
    journalId,
    ...files,
    durable,
    accepted,
    states,
    lastGroup: joined(lastGroup),
    lastLsn,
    damaged: scan.damaged,
  };
}

/** Scans from the newest segment with a whole beginning on; moves to `voids` what was begun and never durable. */
async function scanFrom(
  fs: JournalFs,
  found: Found[],
  journalId: string,
  scan: Scan,
  voids: string[],
): Promise<Segment[]> {
  const newer: { readonly one: Found; readonly bytes: Uint8Array }[] = [];
  let base = found.length - 1;
  for (; base >= 0; base--) {
    const one = found[base]!;
    const bytes = await readFile(fs, one.file.name, one.file.bytes);
    const salt = segmentSalt(journalId, one.number);
    const whole = beginningIsWhole(bytes, salt);
    if (!whole && !hasProof(bytes, 0, salt)) {
      voids.push(one.file.name);
      found.splice(base, 1);
      continue;
    }
    newer.unshift({ one, bytes });
    // Besides the newest one, at most those are kept in memory that are damaged.
    if (whole) break;
  }
  const segments = found.map(({ file, number, header }): Segment => {
    const salt = segmentSalt(journalId, number);
    const { name, bytes } = file;
    return {
      number,
      name,
      salt,
      firstLsn: header.firstLsn,
      bytes,
      end: bytes,
      damaged: false,
      acceptedAt: undefined,
      index: [],
    };
  });
  for (const [i, { bytes }] of newer.entries()) {
    const at = segments.length - newer.length + i;
    const segment = segments[at]!;
    const damagedBefore = scan.damaged;
    segment.end = scan.segment(bytes, segment.salt, segments[at + 1]?.firstLsn ?? Number.POSITIVE_INFINITY);
    segment.damaged = scan.damaged > damagedBefore;
  }
  // Nothing but headers of older segments could be read: their records stay, and numbering goes on behind them.
  scan.durable = Math.max(scan.durable, (segments.at(-1)?.firstLsn ?? 1) - 1);
  scan.lastLsn = Math.max(scan.lastLsn, scan.durable);
  return segments;
}

class Scan {
  durable = 0;
  lastLsn = 0;
  accepted = 0;
  damaged = 0;
  readonly states: DeviceStates;
  lastGroup: Uint8Array[] = [];

  constructor(maxDevices: number) {
    this.states = new DeviceStates(maxDevices);
  }

  /** Reads a segment up to `limit`, an lsn, and returns where it ends. */
  segment(bytes: Uint8Array, salt: number, limit: number): number {
    this.#settle();
    let at = 0;
    while (at < bytes.length) {
      const length = recordAt(bytes, at, bytes.length, salt);
      if (length <= 0) {
        if (!hasProof(bytes, at, salt)) break;
        at = findRecord(bytes, at + 1, bytes.length, salt);
        this.damaged++;
        continue;
      }
      const kind = kindAt(bytes, at);
      const lsn = lsnAt(bytes, at);
      // A group that was written again elsewhere counts there.
      if (kind === KIND.record && lsn >= limit) break;
      if (kind === KIND.mark) {
        this.#settle();
        this.accepted = readMark(bytes, at)?.accepted ?? this.accepted;
      } else if (kind === KIND.header) {
        this.durable = Math.max(this.durable, lsn - 1);
        this.lastLsn = this.durable;
      } else {
        const copy = bytes.slice(at, at + length);
        saltRecords(copy, salt);
        this.lastGroup.push(copy);
        if (kind === KIND.record) this.lastLsn = lsn;
      }
      at += length;
    }
    return at;
  }

  /** The group before was durable. */
  #settle(): void {
    for (const record of this.lastGroup) this.states.apply(record, 0);
    this.lastGroup = [];
    this.durable = this.lastLsn;
  }
}

/** Whether a MARK behind `at` says that what is at `at` was durable. */
function hasProof(bytes: Uint8Array, at: number, salt: number): boolean {
  for (let i = at; ; i++) {
    i = findRecord(bytes, i, bytes.length, salt, KIND.mark);
    if (i < 0) return false;
    if ((readMark(bytes, i)?.start ?? 0) > at) return true;
  }
}

/**
 * From the HEADER to the end of the first group nothing is bad. The group counts, too: it may repeat what is durable in
 * the segment before, and a torn copy must not stand for it.
 */
function beginningIsWhole(bytes: Uint8Array, salt: number): boolean {
  let end = Number.POSITIVE_INFINITY;
  for (let at = 0; at < end; ) {
    const length = recordAt(bytes, at, bytes.length, salt);
    if (length <= 0) return false;
    if (at + length > end) return false;
    if (end === Number.POSITIVE_INFINITY && kindAt(bytes, at) === KIND.mark) {
      end = at + length + (readMark(bytes, at)?.groupBytes ?? 0);
    }
    at += length;
  }
  return true;
}

/** For a segment whose beginning is damaged: the header that it must have had. */
function salvageHeader(bytes: Uint8Array, journalId: string, number: number): SegmentHeader | undefined {
  const salt = segmentSalt(journalId, number);
  if (!hasProof(bytes, 0, salt)) return undefined;
  const first = findRecord(bytes, 0, bytes.length, salt);
  return first < 0 ? undefined : { journalId, number, firstLsn: lsnAt(bytes, first) };
}

async function readFile(fs: JournalFs, name: string, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxBytes);
  try {
    const file = await fs.open(name);
    try {
      return bytes.subarray(0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  } catch {
    // What cannot be read is told as damage by whoever misses it.
    return bytes.subarray(0, 0);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
