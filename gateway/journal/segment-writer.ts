/**
 * The segment files: where the next group goes, and what becomes of files whose records are gone.
 *
 * ```
 *   spare ─ rename ─→ active ─ full ─→ older ─ all accepted ─→ held ─ old enough, or space is short ─→ spare or removed
 *                       └ a write or sync fails: given up; the group goes to the next segment with the same lsns
 * ```
 *
 * All calls that change files run one after the other.
 */
import { errnoOf } from '../sources/io-errors.ts';
import type { DeviceStates } from './device-states.ts';
import type { JournalFile, JournalFs } from './journal-fs.ts';
import { KIND, kindAt, lsnAt, RecordBuffer, saltRecords, segmentSalt } from './record-codec.ts';
import type { RecoveredJournal } from './recovery.ts';
import { noteInIndex, type Segment, segmentName, spareName } from './segment.ts';

/** Why a group could not be written; it is tried again later. */
export type Trouble = 'disk-full' | 'journal-full' | 'io-error';

/** Records that become durable together. */
export interface Group {
  /** RECORDs and DEVICEs, not salted. */
  readonly records: Uint8Array;
  /** The lsn of its first RECORD, or of the next one when it has none. */
  readonly firstLsn: number;
  readonly accepted: number;
}

export interface SegmentWriterOptions {
  readonly fs: JournalFs;
  readonly journalId: string;
  readonly recovered: RecoveredJournal;
  readonly segmentBytes: number;
  readonly maxBytes: number;
  readonly minFreeBytes: number;
  readonly holdMs: number;
  /** Whether a group is synced before it counts as durable. */
  readonly sync: boolean;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Something about a file that somebody should know. */
  readonly tell: (what: string, file: string, error?: unknown) => void;
}

/** The segment that is written to. */
interface Active {
  readonly segment: Segment;
  readonly file: JournalFile;
  /** Where the next group goes. */
  offset: number;
  /** Beyond this a new segment begins. */
  full: number;
}

/** Recycled files kept beyond those in use. */
const MAX_SPARES = 2;
/** Damaged files kept; then the oldest goes. */
const MAX_QUARANTINED = 4;
/**
 * Zeros are written a page at a time: Linux keeps what came in one write in one large folio of the page cache, counts all of
 * it as written for every sync that touches it, and some file systems did write it.
 */
const ZEROS = new Uint8Array(4_096);

export class SegmentWriter {
  readonly segments: Segment[];
  /** As of the last group that is durable. */
  readonly states: DeviceStates;
  syncs = 0;
  bytesWritten = 0;
  readonly #options: SegmentWriterOptions;
  readonly #fs: JournalFs;
  readonly #spares: { name: string; bytes: number }[] = [];
  readonly #quarantined: string[] = [];
  #nextNumber: number;
  #active: Active | undefined;
  #accepted: number;
  #confirmed = 0;
  /** The first of `segments` that the broker has not accepted as a whole. */
  #firstOpen = 0;
  /** The last of all that changes files; it never rejects. */
  #work: Promise<unknown> = Promise.resolve();
  #preparing: Promise<void> | undefined;
  /** The active segment has no durable group yet. */
  #fresh = false;
  /** What an earlier run left has been cut to its length. */
  #trimmed = false;
  readonly #scratch = new RecordBuffer();

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#fs = options.fs;
    const { recovered } = options;
    this.segments = recovered.segments;
    this.states = recovered.states;
    this.#nextNumber = recovered.nextNumber;
    this.#accepted = recovered.accepted;
    this.accepted(recovered.accepted);
  }

  /** Gets rid of what was begun and never became durable, before anything is written. */
  async tidy(): Promise<void> {
    const { recovered, segmentBytes, tell } = this.#options;
    for (const name of recovered.voids) await this.#try(() => this.#fs.remove(name), name);
    for (const name of recovered.unreadable) await this.#quarantine(name);
    for (const spare of recovered.spares) {
      if (spare.bytes === segmentBytes && this.#spares.length < MAX_SPARES) this.#spares.push(spare);
      else await this.#try(() => this.#fs.remove(spare.name), spare.name);
    }
    for (const segment of recovered.segments) if (segment.damaged) tell('damaged', segment.name);
    await this.#try(() => this.#fs.syncDirectory(), '.');
  }

  /** Makes a group durable. Rejects with a Trouble when that cannot be done now; the same group then has to come again. */
  write(group: Group): Promise<void> {
    return this.#exclusive(() => this.#write(group));
  }

  /** The broker has accepted everything up to `lsn`. Returns whether that was the last of a segment; cheap if not. */
  accepted(lsn: number): boolean {
    const { segments } = this;
    if (lsn < this.#accepted) {
      this.#firstOpen = 0;
      for (let i = 0; i < segments.length; i++) {
        if (this.#lastLsn(i) <= lsn) this.#firstOpen = i + 1;
        else segments[i]!.acceptedAt = undefined;
      }
    }
    this.#accepted = lsn;
    const before = this.#firstOpen;
    while (this.#firstOpen < segments.length && this.#lastLsn(this.#firstOpen) <= lsn) {
      segments[this.#firstOpen++]!.acceptedAt ??= this.#options.now();
    }
    return this.#firstOpen > before;
  }

  /** The broker's watermark says `lsn`: what is held and old enough up to there may go. */
  confirmed(lsn: number): void {
    this.#confirmed = lsn;
    if (this.#expired()) void this.#exclusive(() => this.#letGoExpired());
  }

  /** The segment that may hold `lsn`, and the lsn where it ends. */
  find(lsn: number): { readonly segment: Segment; readonly limit: number } | undefined {
    const { segments } = this;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (segments[middle]!.firstLsn <= lsn) low = middle + 1;
      else high = middle;
    }
    const segment = segments[low - 1];
    return segment === undefined ? undefined : { segment, limit: this.#lastLsn(low - 1) + 1 };
  }

  get bytesOnDisk(): number {
    return sum(this.segments) + sum(this.#spares);
  }

  /** Ends after whatever is under way. */
  close(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#preparing;
      const active = this.#active;
      this.#active = undefined;
      if (active === undefined) return;
      await this.#try(() => active.file.close(), active.segment.name);
    });
  }

  // --- a group -----------------------------------------------------------------------------------------------------

  async #write(group: Group): Promise<void> {
    let trouble: Trouble = 'io-error';
    // The second attempt goes to a new file; more of them would be of no use now.
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        if (this.#active === undefined || this.#active.offset + group.records.length > this.#active.full) {
          await this.#rotate(group);
        }
        await this.#writeTo(this.#active!, group);
        await this.#settleFiles();
        return;
      } catch (error) {
        if (error instanceof TroubleError) throw error;
        const errno = errnoOf(error);
        trouble = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'disk-full' : 'io-error';
        await this.#giveUp(error);
        if (trouble === 'disk-full') await this.#evictHeld();
      }
    }
    throw new TroubleError(trouble);
  }

  async #writeTo(active: Active, group: Group): Promise<void> {
    const { segment, file } = active;
    const { records, firstLsn, accepted } = group;
    const start = active.offset;
    const buffer = this.#scratch;
    buffer.clear();
    if (start === 0) {
      buffer.header({ journalId: this.#options.journalId, number: segment.number, firstLsn: segment.firstLsn });
      this.states.writeTo(buffer, firstLsn);
      // A checkpoint must not use up the room of a segment.
      active.full = Math.max(this.#options.segmentBytes, 2 * buffer.length);
    }
    buffer.mark(firstLsn, { start, groupBytes: records.length, accepted });
    const before = buffer.length;
    buffer.raw(records);
    const bytes = buffer.bytes;
    saltRecords(bytes, segment.salt);
    await file.write(bytes, start);
    if (this.#options.sync) await file.sync();
    this.syncs++;
    this.bytesWritten += bytes.length;
    active.offset = start + bytes.length;
    segment.end = active.offset;
    segment.bytes = Math.max(segment.bytes, segment.end);
    this.#applied(records, segment, start + before);
  }

  /** The group is durable: the states follow. */
  #applied(records: Uint8Array, segment: Segment, offset: number): void {
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    let indexed = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < records.length; at += view.getUint32(at + 4)) {
      this.states.apply(records, at);
      if (at - indexed >= 65_536 && kindAt(records, at) === KIND.record) {
        noteInIndex(segment, lsnAt(records, at), offset + at);
        indexed = at;
      }
    }
  }

  /** Leaves the active segment: what is durable in it stays, the rest does not count. */
  async #giveUp(error: unknown): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    const { segment, file, offset } = active;
    this.#options.tell('given-up', segment.name, error);
    await this.#try(() => file.close(), segment.name);
    if (offset > 0) return;
    this.segments.pop();
    await this.#try(() => this.#fs.remove(segment.name), segment.name);
  }

  /** After a group is durable: what it has made superfluous goes, and what will be needed is made. */
  async #settleFiles(): Promise<void> {
    if (this.#fresh) {
      this.#fresh = false;
      await this.#letGoEmpty();
      await this.#trimRecovered();
    }
    this.#prepare();
  }

  // --- files -------------------------------------------------------------------------------------------------------

  /** Begins a new segment whose first lsn is that of the group. */
  async #rotate({ firstLsn }: Group): Promise<void> {
    const old = this.#active;
    await this.#makeSpace();
    const number = this.#nextNumber++;
    const name = segmentName(number);
    const spare = this.#spares.shift();
    let file: JournalFile;
    let bytes = spare?.bytes ?? 0;
    if (spare === undefined) {
      file = await this.#fs.create(name);
      try {
        bytes = await this.#fillWithZeros(file);
      } catch (error) {
        this.#options.tell('no-space', name, error);
        await this.#try(() => file.close(), name);
        await this.#try(() => this.#fs.remove(name), name);
        throw error;
      }
    } else {
      await this.#fs.rename(spare.name, name);
      file = await this.#fs.open(name);
    }
    const salt = segmentSalt(this.#options.journalId, number);
    const more = { bytes, end: 0, damaged: false, acceptedAt: undefined, index: [] };
    const segment: Segment = { number, name, salt, firstLsn, ...more };
    if (old !== undefined) await this.#try(() => old.file.close(), old.segment.name);
    this.segments.push(segment);
    this.#active = { segment, file, offset: 0, full: this.#options.segmentBytes };
    this.#fresh = true;
    // Before the first write: a name that a loss of power takes back must not stand for new content.
    await this.#fs.syncDirectory();
    this.accepted(this.#accepted);
  }

  async #fillWithZeros(file: JournalFile): Promise<number> {
    const { segmentBytes } = this.#options;
    for (let at = 0; at < segmentBytes; at += ZEROS.length) {
      const bytes = ZEROS.subarray(0, Math.min(ZEROS.length, segmentBytes - at));
      await file.write(bytes, at);
      this.bytesWritten += bytes.length;
    }
    await file.sync();
    return segmentBytes;
  }

  /** A new segment will be needed soon: makes its file while there is time. */
  #prepare(): void {
    const active = this.#active;
    if (active === undefined || this.#preparing !== undefined || this.#spares.length > 0) return;
    if (active.offset < active.full / 2) return;
    const name = spareName(this.#nextNumber++);
    // Beside the groups: it touches nothing that they touch.
    this.#preparing = this.#makeSpare(name).finally(() => (this.#preparing = undefined));
  }

  async #makeSpare(name: string): Promise<void> {
    try {
      if (!(await this.#hasSpace())) return;
      const file = await this.#fs.create(name);
      try {
        this.#spares.push({ name, bytes: await this.#fillWithZeros(file) });
      } catch (error) {
        await this.#fs.remove(name);
        throw error;
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#options.tell('no-spare', name, error);
    }
  }

  async #hasSpace(): Promise<boolean> {
    const { segmentBytes, maxBytes, minFreeBytes } = this.#options;
    if (this.bytesOnDisk + segmentBytes > maxBytes) return false;
    return (await this.#fs.freeBytes()) - segmentBytes >= minFreeBytes;
  }

  /** So that there is a spare, or room for a new file; else throws. The oldest that is only held goes first. */
  async #makeSpace(): Promise<void> {
    await this.#preparing;
    await this.#letGoExpired();
    while (this.#spares.length === 0 && !(await this.#hasSpace())) {
      if (await this.#evictHeld()) continue;
      const { segmentBytes, maxBytes } = this.#options;
      throw new TroubleError(this.bytesOnDisk + segmentBytes > maxBytes ? 'journal-full' : 'disk-full');
    }
  }

  /** Lets the oldest segment go if the broker has accepted all of it. */
  async #evictHeld(): Promise<boolean> {
    if (this.#lastLsn(0) > this.#accepted) return false;
    await this.#letGo(0);
    return true;
  }

  #lastLsn(index: number): number {
    const next = this.segments[index + 1];
    return next === undefined ? Number.POSITIVE_INFINITY : next.firstLsn - 1;
  }

  #expired(): boolean {
    const oldest = this.segments[0];
    if (oldest?.acceptedAt === undefined || this.segments.length < 2) return false;
    const { holdMs, now } = this.#options;
    return this.#lastLsn(0) <= Math.min(this.#accepted, this.#confirmed) && now() - oldest.acceptedAt >= holdMs;
  }

  async #letGoExpired(): Promise<void> {
    while (this.#expired()) await this.#letGo(0);
  }

  /** Segments of which nothing counts, because their records were written again. */
  async #letGoEmpty(): Promise<void> {
    for (let i = this.segments.length - 2; i >= 0; i--) {
      if (this.#lastLsn(i) < this.segments[i]!.firstLsn) await this.#letGo(i);
    }
  }

  /** Gives the unused part of what an earlier run left back to the disk: frequent restarts must not fill it. */
  async #trimRecovered(): Promise<void> {
    if (this.#trimmed) return;
    this.#trimmed = true;
    for (const segment of this.segments) {
      const { name, end, bytes, damaged } = segment;
      if (segment === this.#active?.segment || damaged || end >= bytes) continue;
      if (await this.#try(() => this.#fs.truncate(name, end), name)) segment.bytes = end;
    }
  }

  async #letGo(index: number): Promise<void> {
    const [segment] = this.segments.splice(index, 1);
    if (segment === undefined) return;
    if (index < this.#firstOpen) this.#firstOpen--;
    if (segment.damaged) return this.#quarantine(segment.name);
    const { segmentBytes } = this.#options;
    if (segment.bytes === segmentBytes && this.#spares.length < MAX_SPARES) {
      const name = spareName(segment.number);
      const renamed = await this.#try(() => this.#fs.rename(segment.name, name), segment.name);
      if (renamed) this.#spares.push({ name, bytes: segment.bytes });
    } else {
      await this.#try(() => this.#fs.remove(segment.name), segment.name);
    }
    // In this order on disk, too: a hole in the middle would look like damage.
    await this.#try(() => this.#fs.syncDirectory(), '.');
  }

  async #quarantine(name: string): Promise<void> {
    const to = `quarantine/${name}`;
    this.#options.tell('quarantined', to);
    if (!(await this.#try(() => this.#fs.rename(name, to), name))) return;
    this.#quarantined.push(to);
    const oldest = this.#quarantined.length > MAX_QUARANTINED ? this.#quarantined.shift() : undefined;
    if (oldest !== undefined) await this.#try(() => this.#fs.remove(oldest), oldest);
  }

  async #try(action: () => Promise<void>, name: string): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.#options.tell('io-error', name, error);
      return false;
    }
  }

  #exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#work.then(action);
    this.#work = result.catch(() => undefined);
    return result;
  }
}

/** Carries a Trouble out of `write`. */
export class TroubleError extends Error {
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(trouble);
    this.trouble = trouble;
  }
}

function sum(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}
