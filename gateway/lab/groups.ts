/**
 * Frames of several kinds on one line: which byte tells them apart.
 *
 * ```
 *   dd 03 00 …      the byte at 1 has few values, and frames with the same value are alike: same length, more
 *   dd 04 00 …      constant bytes, than frames taken together
 * ```
 */

export interface Group {
  /** The byte that all of its frames have at `by.at`; undefined when there is but one kind, or lengths part them. */
  readonly value: number | undefined;
  /** All its frames are so long; undefined: they differ. */
  readonly length: number | undefined;
  readonly frames: readonly Uint8Array[];
}

export interface Grouping {
  /** What parts the kinds. */
  readonly by: { readonly kind: 'none' | 'length' } | { readonly kind: 'byte'; readonly at: number };
  readonly groups: readonly Group[];
}

/** A kind stands near the front. */
const MAX_AT = 8;
const MAX_KINDS = 16;

/** The kinds among these frames. `from` is where the bytes behind sync begin, `skip` are columns that are known (length). */
export function groupFrames(frames: readonly Uint8Array[], from: number, skip: readonly number[]): Grouping {
  const shortest = frames.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  const lengths = new Set(frames.map(({ length }) => length));
  let best: { at: number; gain: number } | undefined;
  for (let at = from; at < Math.min(MAX_AT, shortest - 1); at++) {
    if (skip.includes(at)) continue;
    const gain = gainOf(frames, at, lengths.size, skip);
    if (gain !== undefined && (best === undefined || gain > best.gain)) best = { at, gain };
  }
  if (best !== undefined && best.gain >= 0.2) {
    const { at } = best;
    return { by: { kind: 'byte', at }, groups: split(frames, (frame) => frame[at] ?? 0, true) };
  }
  if (lengths.size > 1 && lengths.size <= MAX_KINDS) {
    return { by: { kind: 'length' }, groups: split(frames, ({ length }) => length, false) };
  }
  return { by: { kind: 'none' }, groups: [{ value: undefined, length: sameLength(frames), frames }] };
}

/** How much more alike the frames are when parted by this byte, 0–1; undefined when it cannot part them. */
function gainOf(
  frames: readonly Uint8Array[],
  at: number,
  lengths: number,
  skip: readonly number[],
): number | undefined {
  const groups = split(frames, (frame) => frame[at] ?? 0, true);
  if (groups.length < 2 || groups.length > MAX_KINDS || frames.length < 2 * groups.length) return undefined;
  if (groups.some((group) => group.frames.length < 2)) return undefined;
  if (lengths > 1) {
    // Where lengths differ, a kind has one length each, or at least far fewer than there are.
    const single = groups.filter(({ length }) => length !== undefined);
    const share = single.reduce((sum, group) => sum + group.frames.length, 0) / frames.length;
    return share < 0.5 ? undefined : share;
  }
  const all = constantColumns(frames, at, skip);
  const width = (frames[0]?.length ?? 0) - at;
  const within = groups.reduce((sum, group) => sum + constantColumns(group.frames, at, skip) * group.frames.length, 0);
  const gain = (within / frames.length - all) / Math.max(1, width);
  // Two frames are often alike by chance: small groups have to be very much alike.
  return gain * Math.min(1, frames.length / groups.length / 4);
}

function constantColumns(frames: readonly Uint8Array[], except: number, skip: readonly number[]): number {
  const [first] = frames;
  if (first === undefined) return 0;
  let count = 0;
  for (let column = 0; column < first.length; column++) {
    if (column === except || skip.includes(column)) continue;
    if (frames.every((frame) => frame[column] === first[column])) count += 1;
  }
  return count;
}

function split(frames: readonly Uint8Array[], by: (frame: Uint8Array) => number, isByte: boolean): Group[] {
  const groups = new Map<number, Uint8Array[]>();
  for (const frame of frames) {
    const key = by(frame);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [frame]);
    else group.push(frame);
  }
  return [...groups]
    .toSorted((a, b) => a[0] - b[0])
    .map(([key, members]) => ({
      value: isByte ? key : undefined,
      length: sameLength(members),
      frames: members,
    }));
}

function sameLength(frames: readonly Uint8Array[]): number | undefined {
  const [first] = frames;
  return first !== undefined && frames.every(({ length }) => length === first.length) ? first.length : undefined;
}
