/**
 * What the lab makes of a capture: proposals, the best first, each with its evidence.
 *
 * ```
 *   capture ─→ guesses at the framing ─→ frames ─→ checksum ─→ cut again, checked ─→ kinds of frames ─→ columns
 *                                                  └ evidence in bits: 10 bits = chance does it once in 1,000 ─┘
 * ```
 */
import type { Capture } from './capture.ts';
import { beginning, joined } from './capture.ts';
import { type ChecksumFit, constantTail, distinct, fitHolds, searchChecksums } from './checksum-search.ts';
import { type Column, columnsOf } from './columns.ts';
import { type CutCapture, judged, searchFramings } from './framing-search.ts';
import type { FrameLength, Framing, LengthField, Sync } from './framing.ts';
import { type Group, type Grouping, groupFrames } from './groups.ts';
import { lengthsOfFrames, plainLengths } from './length-search.ts';
import { type TextLayout, textProposal } from './text-lines.ts';

export interface Proposal {
  readonly framing: Framing;
  /** Bytes that end every frame, behind the checksum. */
  readonly tail: Uint8Array;
  /** The checksum with the most evidence; undefined when none has enough. */
  readonly checksum: ChecksumFit | undefined;
  /** Others that fit as well, or nearly. */
  readonly otherChecksums: readonly ChecksumFit[];
  /** Constant bytes that may be a length: frames of another length would tell. */
  readonly lengthHints: readonly LengthField[];
  /** The frames that hold, in order. */
  readonly frames: readonly Uint8Array[];
  /** How many of them differ: the others prove nothing. */
  readonly different: number;
  /** How much of the capture lies in frames, 0–1. */
  readonly share: number;
  /** The odds that chance alone does all this are 1 in 2^bits. */
  readonly bits: number;
  readonly grouping: Grouping;
  readonly layouts: readonly Layout[];
  /** For lines of text: how they are split; then the layouts have no columns. */
  readonly text: TextLayout | undefined;
}

/** The bytes of one kind of frames. */
export interface Layout {
  readonly group: Group;
  readonly columns: readonly Column[];
}

/** So many bits a checksum must bring to be believed: chance does it once in 60 captures. */
const ENOUGH_BITS = 6;
/** Of a single frame, whose checksum can never be sure, this much is worth telling. */
const LIKELY_BITS = 3;
/** The structure is looked for in so many bytes; frames are then cut out of all. */
const SEARCH_BYTES = 64 * 1024;
/** Longer syncs are rarer in devices than constant bytes behind them: those must look like sync. */
const SYNC_BYTES = 2;
const LONGEST_SYNC = 4;
/** With so many different frames, what never changes is likely part of the frame and no value that rests. */
const MANY_FRAMES = 12;
const MAX_PROPOSALS = 5;
/** Columns are looked for in so many bytes of a frame. */
const MAX_COLUMNS = 320;

/** Proposals for this capture, the one with the most evidence first; empty when there are no bytes. */
export function propose(capture: Capture): Proposal[] {
  if (capture.size === 0) return [];
  const text = textProposal(joined(capture));
  if (text !== undefined) return [text];
  const proposals = searchFramings(beginning(capture, SEARCH_BYTES))
    .map((guess) => refined(guess, guess.capture.borders === 'none' ? joined(capture) : capture))
    .toSorted((a, b) => worth(b) - worth(a));
  const seen = new Set<string>();
  return proposals
    .filter((proposal) => {
      const key = JSON.stringify([
        proposal.frames.length,
        proposal.frames[0]?.length,
        proposal.checksum?.algorithm.name,
        proposal.framing.escape,
      ]);
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, MAX_PROPOSALS);
}

function worth({ share, bits, frames }: Proposal): number {
  return share * share * (Math.min(bits, 2_000) + Math.min(frames.length, 100) * 0.1);
}

/** The checksum of these frames, the capture cut again with it, and what the frames hold. */
function refined(guess: CutCapture, capture: Capture): Proposal {
  const fits = searchChecksums(guess.cut.frames);
  const sure = fits.find(({ bits }) => bits >= ENOUGH_BITS);
  const checksum =
    sure ?? (distinct(guess.cut.frames).length === 1 ? fits.find(({ bits }) => bits >= LIKELY_BITS) : undefined);
  const checked = judged(guess.framing, capture, sure === undefined ? undefined : (frame) => fitHolds(sure, frame));
  const { frames } = checked.cut;
  const tail = tailOf(frames, checksum);
  const checkBytes = checksum === undefined ? 0 : -checksum.at - tail.length;
  const hints = plainLengths(distinct(frames), checkBytes + tail.length).slice(0, 3);
  const length = settledLength(guess, frames, tail, hints[0]);
  const field = length.kind === 'field' ? length.field : undefined;
  const sync = settledSync(guess.framing, frames, field ?? hints[0], checkBytes + tail.length);
  const framing: Framing = settled(
    { ...guess, capture },
    { escape: guess.framing.escape, sync, length },
    frames.length,
  );
  const grouping = groupFrames(
    frames,
    sync === undefined ? 0 : sync.at + sync.bytes.length,
    columnsOfLength(field ?? hints[0]),
  );
  return {
    framing,
    tail,
    checksum,
    otherChecksums: fits.filter((fit) => fit !== checksum).slice(0, 3),
    lengthHints: framing.length.kind === 'fixed' ? hints : [],
    frames,
    different: distinct(frames).length,
    share: checked.share,
    bits: guess.bits + (sure?.bits ?? 0),
    grouping,
    layouts: layoutsOf(grouping, framing, checksum, tail.length),
    text: undefined,
  };
}

/** What stands behind the checksum in all frames; without a checksum, what ends frames of different lengths. */
function tailOf(frames: readonly Uint8Array[], checksum: ChecksumFit | undefined): Uint8Array {
  const [first] = frames;
  if (first === undefined) return new Uint8Array(0);
  if (checksum !== undefined) return first.slice(first.length + checksum.at + checksum.algorithm.size);
  const different = distinct(frames).length;
  const constant = Math.min(2, constantTail(frames));
  const lengths = new Set(frames.map(({ length }) => length)).size;
  // Frames of one length may end in values that rest: two bytes that look like an end are one.
  const end = constant === 2 && different >= MANY_FRAMES && !isPlain(first.at(-1)) && !isPlain(first.at(-2));
  const behind = lengths > 1 ? (different >= 4 ? constant : 0) : end ? 2 : 0;
  return first.slice(first.length - behind);
}

/** What values that rest are made of. */
function isPlain(byte: number | undefined): boolean {
  return byte === 0 || byte === 0xff;
}

/**
 * Frames that came parted by silence or lines have, perhaps, a length after all: then a profile needs no silence. Frames
 * of one length with 16 bits that say it have it from there: chance hardly does that.
 */
function settledLength(
  { framing }: CutCapture,
  frames: readonly Uint8Array[],
  tail: Uint8Array,
  hint: LengthField | undefined,
): FrameLength {
  const [first] = frames;
  const kept = framing.length.kind === 'field' || framing.length.kind === 'tail' || framing.escape !== undefined;
  if (kept || first === undefined) return framing.length;
  if (frames.every(({ length }) => length === first.length)) {
    const likely = hint !== undefined && hint.type !== 'u8' && hint.at > 0 && hint.plus > 0;
    if (likely && distinct(frames).length > 1) return { kind: 'field', field: hint };
    return { kind: 'fixed', bytes: first.length };
  }
  const [guess] = lengthsOfFrames(frames);
  if (guess !== undefined) return { kind: 'field', field: guess.field };
  return tail.length > 0 ? { kind: 'tail', bytes: tail } : framing.length;
}

/** The constant bytes in front, as far as a person would call them sync: not the length, not the checksum, not all. */
function settledSync(
  { sync, escape }: Framing,
  frames: readonly Uint8Array[],
  length: LengthField | undefined,
  behind: number,
): Sync | undefined {
  const [first] = frames;
  if (first === undefined) return sync;
  // Inside a frame it is one byte as a rule; what follows may well be a value that rests.
  if (sync !== undefined && sync.at > 0) return { at: sync.at, bytes: sync.bytes.subarray(0, 1) };
  const different = distinct(frames);
  const room = Math.min(SYNC_BYTES, length?.at ?? SYNC_BYTES, first.length - behind - 1);
  let prefix = 0;
  while (prefix < room && different.every((frame) => frame[prefix] === first[prefix])) prefix += 1;
  // Of what follows, a byte before one that moves may be the high byte of a value; so may 00 and ff anywhere.
  const most = Math.min(LONGEST_SYNC, length?.at ?? LONGEST_SYNC, first.length - behind - 2);
  const rests = (at: number): boolean => different.every((frame) => frame[at] === first[at]);
  while (prefix >= SYNC_BYTES && prefix < most && different.length >= MANY_FRAMES) {
    if (isPlain(first[prefix]) || !rests(prefix) || !rests(prefix + 1)) break;
    prefix += 1;
  }
  // Between flags nothing has to be found; one frame does not say what is constant.
  if (prefix === 0 || escape !== undefined || different.length < 2) return different.length < 2 ? sync : undefined;
  return { at: 0, bytes: first.slice(0, prefix) };
}

/** The framing with what was found, if it cuts as many frames; else the one that was guessed. */
function settled(guess: CutCapture, framing: Framing, found: number): Framing {
  const again = judged(framing, guess.capture);
  if (again.cut.frames.length >= found) return framing;
  const plain: Framing = { ...framing, sync: guess.framing.sync };
  return judged(plain, guess.capture).cut.frames.length >= found ? plain : guess.framing;
}

function columnsOfLength(field: LengthField | undefined): number[] {
  if (field === undefined) return [];
  return field.type === 'u8' ? [field.at] : [field.at, field.at + 1];
}

function layoutsOf(
  grouping: Grouping,
  { sync, length }: Framing,
  checksum: ChecksumFit | undefined,
  tail: number,
): Layout[] {
  const field = length.kind === 'field' ? length.field : undefined;
  return grouping.groups.map((group) => {
    const shortest = group.frames.reduce((least, frame) => Math.min(least, frame.length), Number.POSITIVE_INFINITY);
    const behind = checksum === undefined ? tail : Math.max(-checksum.at, -checksum.to);
    const to = Math.min(shortest - behind, MAX_COLUMNS);
    const known = new Set<number>(columnsOfLength(field));
    if (sync !== undefined) for (let i = 0; i < sync.bytes.length; i++) known.add(sync.at + i);
    if (grouping.by.kind === 'byte') known.add(grouping.by.at);
    return { group, columns: runsWithout(known, to).flatMap(([from, end]) => columnsOf(group.frames, from, end)) };
  });
}

/** The stretches of `[0, to)` between known columns. */
function runsWithout(known: ReadonlySet<number>, to: number): [number, number][] {
  const runs: [number, number][] = [];
  let from = 0;
  for (let at = 0; at <= to; at++) {
    if (at < to && !known.has(at)) continue;
    if (at > from) runs.push([from, at]);
    from = at + 1;
  }
  return runs;
}
