/** Segment files by name, and what is kept in memory of each. */

export interface Segment {
  /** Never given twice, also when the file is recycled: it goes into the salt of the records. */
  readonly number: number;
  readonly name: string;
  readonly salt: number;
  /** Its records end before the next segment's `firstLsn`. */
  readonly firstLsn: number;
  /** Bytes of the file. */
  bytes: number;
  /** Up to here it may be read; for the active segment, what is durable. */
  end: number;
  /** Some of its bytes cannot be read as what was written: it goes to quarantine instead of being recycled. */
  damaged: boolean;
  /** Monotonic time when the broker had accepted all of it, or undefined. */
  acceptedAt: number | undefined;
  /** Places of records, in order: reading begins at the nearest one before. */
  readonly index: { readonly lsn: number; readonly at: number }[];
}

export function segmentName(number: number): string {
  return `journal-${String(number).padStart(10, '0')}.log`;
}

export function spareName(number: number): string {
  return `spare-${String(number).padStart(10, '0')}.log`;
}

/** The kind and number of a file of ours, or undefined. */
export function parseName(name: string): { readonly spare: boolean; readonly number: number } | undefined {
  const match = /^(journal|spare)-(\d{10})\.log$/.exec(name);
  return match === null ? undefined : { spare: match[1] === 'spare', number: Number(match[2]) };
}

/** Notes where a record is; places come in any order, and one every 64 KiB is enough. */
export function noteInIndex(segment: Segment, lsn: number, at: number): void {
  const { index } = segment;
  const i = indexBefore(segment, lsn) + 1;
  if (i > 0 && at - index[i - 1]!.at < INDEX_SPACING) return;
  if (i < index.length && index[i]!.at - at < INDEX_SPACING) return;
  index.splice(i, 0, { lsn, at });
}

/** The position in `index` of the last place at or before `lsn`, or −1. */
export function indexBefore({ index }: Segment, lsn: number): number {
  let low = 0;
  let high = index.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (index[middle]!.lsn <= lsn) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const INDEX_SPACING = 65_536;
