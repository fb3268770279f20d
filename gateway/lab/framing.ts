/**
 * A guess at how frames are cut out of bytes, and the cutting.
 *
 * ```
 *   … noise … | sync | … | length | …… body …… | next sync …
 *               ↑ a frame counts only when the next one, or the end of the piece, stands where it ends
 * ```
 */
import { hdlcDecoder, slipDecoder, cobsDecoder, type FrameDecoder } from '../../protocol/index.ts';
import { type Capture, captureOf, joined, MAX_FRAMES, type Piece } from './capture.ts';

/** Known bytes at a fixed place of every frame. */
export interface Sync {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export const LENGTH_TYPES = ['u8', 'u16', 'u16le'] as const;
export type LengthType = (typeof LENGTH_TYPES)[number];

/** Where a frame tells its length: total = value × times + plus. */
export interface LengthField {
  readonly at: number;
  readonly type: LengthType;
  readonly times: 1 | 2;
  readonly plus: number;
}

export type FrameLength =
  | { readonly kind: 'fixed'; readonly bytes: number }
  | { readonly kind: 'field'; readonly field: LengthField }
  | { readonly kind: 'tail'; readonly bytes: Uint8Array }
  /** A piece of the capture is a frame: silence, lines or datagrams part them. */
  | { readonly kind: 'piece' };

export type EscapeName = 'hdlc' | 'slip' | 'cobs';

export interface Framing {
  readonly escape: EscapeName | undefined;
  readonly sync: Sync | undefined;
  readonly length: FrameLength;
}

export interface Frames {
  /** In the order in which they came, escapes undone. */
  readonly frames: readonly Uint8Array[];
  /** Bytes of the capture that lie in frames. */
  readonly covered: number;
  /** Pieces that begin with a frame, of all pieces. */
  readonly onBorder: number;
  /** Frames that were found where the one before had ended. */
  readonly confirmed: number;
}

/** No frame of a device is longer; a length field that says so is none. */
export const MAX_FRAME = 4_096;

export function lengthBytes(type: LengthType): 1 | 2 {
  return type === 'u8' ? 1 : 2;
}

export function readLength(bytes: Uint8Array, at: number, type: LengthType): number {
  const first = bytes[at] ?? 0;
  if (type === 'u8') return first;
  const second = bytes[at + 1] ?? 0;
  return type === 'u16' ? (first << 8) | second : (second << 8) | first;
}

/** Whether the bytes of `sync` stand where a frame that begins at `start` would have them. */
export function syncHolds(bytes: Uint8Array, start: number, sync: Sync): boolean {
  for (let i = 0; i < sync.bytes.length; i++) {
    if (bytes[start + sync.at + i] !== sync.bytes[i]) return false;
  }
  return true;
}

/** The frames of a capture by this framing; `good` judges a whole frame, and without it its successor does. */
export function cutFrames(capture: Capture, framing: Framing, good?: (frame: Uint8Array) => boolean): Frames {
  if (framing.escape !== undefined) {
    const { plain, wire } = unescaped(capture, framing.escape);
    const inner = cutFrames(plain, { ...framing, escape: undefined }, good);
    // Flags and escapes belong to their frames.
    return { ...inner, covered: plain.size === 0 ? 0 : Math.round((wire * inner.covered) / plain.size), onBorder: 0 };
  }
  const frames: Uint8Array[] = [];
  let covered = 0;
  let onBorder = 0;
  let confirmed = 0;
  for (const { bytes } of capture.pieces) {
    let lastEnd = -1;
    for (let at = 0; at < bytes.length && frames.length < MAX_FRAMES; ) {
      const length = frameLength(bytes, at, framing);
      const end = at + length;
      const frame = bytes.subarray(at, end);
      const fits =
        length > 0 && end <= bytes.length && (good === undefined ? endsWell(bytes, end, framing) : good(frame));
      if (!fits) {
        at = nextPlace(bytes, at + 1, framing);
        continue;
      }
      frames.push(frame);
      covered += length;
      if (at === 0) onBorder += 1;
      if (at === lastEnd) confirmed += 1;
      lastEnd = end;
      at = end;
    }
  }
  return { frames, covered, onBorder, confirmed };
}

/** How long the frame is that would begin at `at`; 0 when none does. */
function frameLength(bytes: Uint8Array, at: number, { sync, length }: Framing): number {
  if (sync !== undefined && !syncHolds(bytes, at, sync)) return 0;
  switch (length.kind) {
    case 'piece':
      return at === 0 ? bytes.length : 0;
    case 'fixed':
      return length.bytes;
    case 'tail': {
      const from = at + (sync === undefined ? 1 : sync.at + sync.bytes.length);
      const tailAt = indexOfBytes(bytes, length.bytes, from, Math.min(bytes.length, at + MAX_FRAME));
      return tailAt === -1 ? 0 : tailAt + length.bytes.length - at;
    }
    case 'field': {
      const { field } = length;
      const header = field.at + lengthBytes(field.type);
      if (at + header > bytes.length) return 0;
      const total = readLength(bytes, at + field.at, field.type) * field.times + field.plus;
      return total >= header && total <= MAX_FRAME ? total : 0;
    }
  }
}

function endsWell(bytes: Uint8Array, end: number, { sync, length }: Framing): boolean {
  if (sync === undefined || length.kind === 'tail' || end >= bytes.length) return true;
  // The piece ends before the next sync: as good as its end.
  return end + sync.at + sync.bytes.length > bytes.length || syncHolds(bytes, end, sync);
}

/** The next place from `from` on where a frame may begin. */
function nextPlace(bytes: Uint8Array, from: number, { sync, length }: Framing): number {
  if (sync === undefined) {
    // Without a sync nothing says where to look again; a piece that does not begin with a frame is given up.
    return length.kind === 'tail' ? from : bytes.length;
  }
  const at = indexOfBytes(bytes, sync.bytes, from + sync.at, bytes.length);
  return at === -1 ? bytes.length : at - sync.at;
}

/** The first place of `wanted` in `bytes[from..to)`, or -1. */
export function indexOfBytes(bytes: Uint8Array, wanted: Uint8Array, from: number, to: number): number {
  const first = wanted[0];
  if (first === undefined) return -1;
  for (let at = bytes.indexOf(first, from); at !== -1 && at + wanted.length <= to; at = bytes.indexOf(first, at + 1)) {
    let i = 1;
    while (i < wanted.length && bytes[at + i] === wanted[i]) i += 1;
    if (i === wanted.length) return at;
  }
  return -1;
}

/**
 * A capture whose pieces are the frames between the flags, with the escapes undone; what is no frame is left out.
 * `wire` is how many bytes these frames were on the wire.
 */
export function unescaped(capture: Capture, name: EscapeName): { plain: Capture; wire: number } {
  const pieces: Piece[] = [];
  let wire = 0;
  for (const piece of joined(capture).pieces) {
    const decoder = escapeDecoder(name);
    decoder.push(piece.bytes);
    decoder.end();
    for (let item = decoder.next(); item !== undefined && pieces.length < MAX_FRAMES; item = decoder.next()) {
      if (item.kind !== 'frame') continue;
      // The view lasts only until the next call.
      pieces.push({ bytes: item.bytes.slice(), atMs: undefined });
      wire += item.wireLength;
    }
  }
  return { plain: captureOf(pieces, 'datagrams'), wire };
}

function escapeDecoder(name: EscapeName): FrameDecoder {
  switch (name) {
    case 'hdlc':
      return hdlcDecoder({ maxBytes: MAX_FRAME });
    case 'slip':
      return slipDecoder({ maxBytes: MAX_FRAME });
    case 'cobs':
      return cobsDecoder({ maxBytes: MAX_FRAME });
  }
}
