/**
 * Reads records back from segment files, some at a time: the publisher asks for them mostly in order. What is held in
 * memory is bounded by CHUNKS × CHUNK_RECORDS, however long the backlog is.
 */
import type { JournalFs } from './journal-fs.ts';
import type { JournalRecord } from './journal.ts';
import { CUT, findRecord, KIND, kindAt, lsnAt, MAX_RECORD_BYTES, recordAt } from './record-codec.ts';
import { indexBefore, noteInIndex, type Segment } from './segment.ts';

/** Two readers, and what each of them asks for again. */
const CHUNKS = 4;
export const CHUNK_RECORDS = 512;
const READ_BYTES = 4 * MAX_RECORD_BYTES;

/** The records `from` … `to`; those that are missing cannot be read. */
interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly records: readonly (JournalRecord | undefined)[];
}

export interface SegmentReaderOptions {
  readonly fs: JournalFs;
  readonly find: (lsn: number) => { readonly segment: Segment; readonly limit: number } | undefined;
  /** Turns the RECORD at `at` into a record; undefined when it is none. */
  readonly decode: (bytes: Uint8Array, at: number) => JournalRecord | undefined;
  readonly loaded: () => void;
  /** A damaged place; the records that it has cost. */
  readonly damaged: (segment: Segment, records: number) => void;
}

export class SegmentReader {
  readonly #options: SegmentReaderOptions;
  /** The most recently used last. */
  #chunks: Chunk[] = [];
  readonly #loading = new Set<number>();
  #closed = false;

  constructor(options: SegmentReaderOptions) {
    this.#options = options;
  }

  /** Records in memory at present. */
  get size(): number {
    return this.#chunks.reduce((total, { records }) => total + records.length, 0);
  }

  /** As Journal's `get`, for an lsn that is durable. */
  get(lsn: number): JournalRecord | 'loading' | undefined {
    const chunks = this.#chunks;
    for (let i = chunks.length - 1; i >= 0; i--) {
      const chunk = chunks[i]!;
      if (lsn < chunk.from || lsn > chunk.to) continue;
      if (i < chunks.length - 1) {
        chunks.splice(i, 1);
        chunks.push(chunk);
      }
      return chunk.records[lsn - chunk.from];
    }
    if (!this.#loading.has(lsn) && this.#loading.size < 2 && !this.#closed) {
      this.#loading.add(lsn);
      void this.#load(lsn);
    }
    return 'loading';
  }

  close(): void {
    this.#closed = true;
    this.#chunks = [];
  }

  async #load(lsn: number): Promise<void> {
    const found = this.#options.find(lsn);
    const chunk = found === undefined ? missing(lsn, lsn) : await this.#read(lsn, found.segment, found.limit);
    this.#loading.delete(lsn);
    if (this.#closed) return;
    this.#chunks.push(chunk);
    if (this.#chunks.length > CHUNKS) this.#chunks.shift();
    this.#options.loaded();
  }

  async #read(lsn: number, segment: Segment, limit: number): Promise<Chunk> {
    try {
      const file = await this.#options.fs.open(segment.name);
      try {
        const place = segment.index[indexBefore(segment, lsn)] ?? { lsn: segment.firstLsn, at: 0 };
        const walk = new Walk(this.#options, segment, lsn, limit, place);
        const buffer = new Uint8Array(READ_BYTES);
        for (;;) {
          const at = walk.at;
          const wanted = Math.min(buffer.length, segment.end - at);
          const length = wanted > 0 ? await file.read(buffer.subarray(0, wanted), at) : 0;
          const chunk = walk.through(buffer, length, at + length >= segment.end || length < wanted);
          if (chunk !== undefined) return chunk;
        }
      } finally {
        await file.close();
      }
    } catch {
      // Meanwhile it may have gone, as nobody needed it any more.
      const still = this.#options.find(lsn);
      if (still?.segment !== segment) return missing(lsn, lsn);
      const to = Number.isFinite(limit) ? limit - 1 : lsn;
      this.#options.damaged(segment, to - lsn + 1);
      return missing(lsn, to);
    }
  }
}

function missing(from: number, to: number): Chunk {
  return { from, to, records: [] };
}

/** One way through a segment from a known place to the record that is asked for, and some further. */
class Walk {
  /** Where reading goes on. */
  at: number;
  readonly #options: SegmentReaderOptions;
  readonly #segment: Segment;
  readonly #from: number;
  readonly #limit: number;
  /** The lsn that the next RECORD must have. */
  #expected: number;
  readonly #records: (JournalRecord | undefined)[] = [];

  constructor(
    options: SegmentReaderOptions,
    segment: Segment,
    from: number,
    limit: number,
    place: { readonly lsn: number; readonly at: number },
  ) {
    this.#options = options;
    this.#segment = segment;
    this.#from = from;
    this.#limit = limit;
    this.#expected = place.lsn;
    this.at = place.at;
  }

  /** Goes through the bytes that lie at `this.at`. Undefined: more are needed. */
  through(bytes: Uint8Array, end: number, last: boolean): Chunk | undefined {
    const segment = this.#segment;
    const base = this.at;
    let at = 0;
    while (this.#expected < this.#limit && this.#records.length < CHUNK_RECORDS) {
      const length = recordAt(bytes, at, end, segment.salt);
      if (length === CUT && !last && at > 0) break;
      if (length <= 0) {
        // All that is missing here was durable once: the next segment says where this one ended.
        if (last && at >= end && !Number.isFinite(this.#limit)) return this.#done(this.#expected - 1);
        const next = findRecord(bytes, at + 1, end, segment.salt);
        if (next < 0 && !last) {
          at = Math.max(at + 1, end - MAX_RECORD_BYTES);
          break;
        }
        if (next < 0) return this.#lost(Number.isFinite(this.#limit) ? this.#limit : this.#expected);
        segment.damaged = true;
        at = next;
        continue;
      }
      if (kindAt(bytes, at) === KIND.record) {
        const lsn = lsnAt(bytes, at);
        if (lsn > this.#expected) {
          // Records are missing: those before the gap first, then the gap.
          if (this.#records.length > 0) return this.#done(this.#expected - 1);
          if (lsn > this.#from) {
            noteInIndex(segment, lsn, base + at);
            return this.#lost(Math.min(lsn, this.#limit));
          }
        }
        if (lsn >= this.#limit) return this.#lost(this.#limit);
        if (lsn >= this.#from) this.#records.push(this.#options.decode(bytes, at));
        noteInIndex(segment, lsn, base + at);
        this.#expected = lsn + 1;
      }
      at += length;
    }
    this.at = base + at;
    if (this.#expected >= this.#limit || this.#records.length >= CHUNK_RECORDS) return this.#done(this.#expected - 1);
    return last ? this.#lost(Number.isFinite(this.#limit) ? this.#limit : this.#expected) : undefined;
  }

  #done(to: number): Chunk {
    const records = this.#records;
    return { from: this.#from, to: Math.max(to, this.#from), records };
  }

  /** Up to `next`, which is there again, nothing can be read. */
  #lost(next: number): Chunk {
    if (this.#records.length > 0) return this.#done(this.#expected - 1);
    const to = Math.max(this.#from, next - 1);
    this.#options.damaged(this.#segment, to - this.#from + 1);
    return missing(this.#from, to);
  }
}
