/**
 * Explains bytes to people: which range is what, and where and why a bad frame is bad. Not a hot path.
 *
 * ```
 *   wire    03 22 04 01 …  00      COBS: a code byte in front of each block, 00 behind the frame
 *   frame      22 04 00 …          ranges count from here; wireOffset counts in the bytes given
 * ```
 */
import {
  CRC_BYTES,
  decodeFrame,
  FRAME_OVERHEAD,
  HEADER_BYTES,
  LINK_VERSION,
  MAX_DATAGRAM_BYTES,
  isSealed,
  u32,
} from './frame.ts';
import type { FrameFailure } from './frame.ts';
import { walkBody } from './explain-body.ts';
import type { BodyStop } from './explain-body.ts';
import { bodyProblem } from './explain-content.ts';
import type { Content, Finding } from './explain-content.ts';
import { headerRanges, hex32, range } from './explain-header.ts';
import type { Range } from './explain-header.ts';
import { explainSealed, looksSealed } from './explain-sealed.ts';
import { decodeBody } from './message-codec.ts';
import type { Message } from './message-codec.ts';
import { messageByNumber } from './messages.ts';

/** How the bytes are wrapped: a bare frame (a datagram), or COBS with 00 behind each frame (a stream). */
export type WireForm = 'frame' | 'cobs';

/** A named run of bytes of a frame. */
export interface ExplainedRange {
  /** Within the frame. */
  readonly offset: number;
  readonly length: number;
  /** Of its first byte, within the bytes given; with COBS, code bytes may lie in between. */
  readonly wireOffset: number;
  readonly name: string;
  /** Its value as one line of harmless text. */
  readonly value: string;
  readonly meaning: string;
}

/** What is wrong with a frame. */
export interface ExplainedProblem extends Finding {
  /** Within the bytes given. */
  readonly wireOffset: number;
}

export interface ExplainedFrame {
  /** Of the first byte that belongs to it, within the bytes given. */
  readonly wireOffset: number;
  readonly wireLength: number;
  /** With COBS: whether the 00 behind it was there. */
  readonly delimited: boolean;
  /** The frame itself, COBS taken off (as far as that went), with the plaintext in place of what could be decrypted. */
  readonly bytes: Uint8Array;
  /** Nothing wrong was found. Of a sealed frame that could not be opened, only the outside is known. */
  readonly ok: boolean;
  /** For sealed frames: whether the key given has opened it. */
  readonly sealed?: 'opened' | 'closed';
  /** The message's name, or `unknown`. */
  readonly name: string;
  readonly ranges: readonly ExplainedRange[];
  readonly problem?: ExplainedProblem;
  /** When all is well, and known. */
  readonly message?: Message;
}

export interface Explanation {
  readonly form: WireForm;
  /** Every frame is good. */
  readonly ok: boolean;
  /** At least one. */
  readonly frames: readonly ExplainedFrame[];
}

/**
 * Explains a bare frame, or a piece of a stream with any number of frames. `auto` finds out which it is. A device's `key`
 * opens its sealed HELLOs and REPORTs; the other sealed frames take keys that nobody but the two ends has.
 */
export function explain(bytes: Uint8Array, form: WireForm | 'auto' = 'auto', key?: Uint8Array): Explanation {
  if (form === 'frame') return explainBare(bytes, key);
  if (form === 'cobs') return explainStream(bytes, key);
  const bare = explainBare(bytes, key);
  if (decodeFrame(bytes).ok) return bare;
  const stream = explainStream(bytes, key);
  if (stream.frames.some(({ bytes }) => decodeFrame(bytes).ok)) return stream;
  // A sealed frame has nothing that could be checked: it must look like one.
  if (looksSealed(bytes)) return bare;
  if (stream.frames.some(({ bytes }) => looksSealed(bytes))) return stream;
  return looksLikeStream(bytes) ? stream : bare;
}

/** Neither reading is a good frame: the version tells, else the zeros, of which COBS has none but at the end. */
function looksLikeStream(bytes: Uint8Array): boolean {
  const versionFirst = bytes[0] !== undefined && bytes[0] >> 5 === LINK_VERSION;
  const versionSecond = bytes[1] !== undefined && bytes[1] >> 5 === LINK_VERSION;
  if (versionFirst !== versionSecond) return versionSecond;
  const zero = bytes.indexOf(0);
  return bytes.length > 1 && (zero < 0 || zero === bytes.length - 1);
}

interface Unwrapped {
  readonly frame: Uint8Array;
  /** The place of each byte of the frame, and of its end, within the bytes given. */
  readonly wire: readonly number[];
  readonly wireOffset: number;
  readonly wireLength: number;
  readonly delimited: boolean;
  readonly problem?: ExplainedProblem;
}

function explainBare(bytes: Uint8Array, key: Uint8Array | undefined): Explanation {
  const wire = Array.from({ length: bytes.length + 1 }, (_, at) => at);
  const unwrapped = { frame: bytes, wire, wireOffset: 0, wireLength: bytes.length, delimited: false };
  const frame = explainFrame(unwrapped, key);
  return { form: 'frame', ok: frame.ok, frames: [frame] };
}

function explainStream(bytes: Uint8Array, key: Uint8Array | undefined): Explanation {
  const frames: ExplainedFrame[] = [];
  let from = 0;
  while (from < bytes.length) {
    const zero = bytes.indexOf(0, from);
    const to = zero < 0 ? bytes.length : zero;
    if (to > from) frames.push(explainFrame(unwrap(bytes, from, to), key));
    from = to + 1;
  }
  if (frames.length === 0) frames.push(explainFrame(unwrap(bytes, 0, 0), key));
  return { form: 'cobs', ok: frames.every(({ ok }) => ok), frames };
}

function unwrap(bytes: Uint8Array, from: number, to: number): Unwrapped {
  const frame: number[] = [];
  const wire: number[] = [];
  let problem: ExplainedProblem | undefined;
  for (let at = from; at < to; ) {
    const code = bytes[at]!;
    const end = at + code;
    if (end > to) {
      const text = `COBS code 0x${code.toString(16).padStart(2, '0')} at offset ${at} of the wire points ${end - to} past the end`;
      problem = { code: 'bad-cobs', offset: frame.length, wireOffset: at, text };
      break;
    }
    for (let i = at + 1; i < end; i++) {
      frame.push(bytes[i]!);
      wire.push(i);
    }
    if (code < 0xff && end < to) {
      frame.push(0);
      // The zero is what the next code byte stands for.
      wire.push(end);
    }
    at = end;
  }
  wire.push(to);
  const delimited = to < bytes.length;
  const wireLength = to - from + (delimited ? 1 : 0);
  const unwrapped = { frame: Uint8Array.from(frame), wire, wireOffset: from, wireLength, delimited };
  return problem === undefined ? unwrapped : { ...unwrapped, problem };
}

function explainFrame(unwrapped: Unwrapped, key: Uint8Array | undefined): ExplainedFrame {
  const { frame, wire, wireOffset, wireLength, delimited } = unwrapped;
  const place = (offset: number): number => wire[Math.min(offset, wire.length - 1)] ?? 0;
  const { bytes, ranges, sealed, finding, message } = isSealed(frame) ? explainSealed(frame, key) : explainPlain(frame);
  const problem = unwrapped.problem ?? (finding && { ...finding, wireOffset: place(finding.offset) });
  return {
    wireOffset,
    wireLength,
    delimited,
    bytes,
    ok: problem === undefined,
    ...(sealed !== undefined && { sealed }),
    name: (bytes.length >= 2 && messageByNumber(bytes[1]!)?.name) || 'unknown',
    ranges: ranges.map((range) => ({ ...range, wireOffset: place(range.offset) })),
    ...(problem !== undefined && { problem }),
    ...(problem === undefined && message !== undefined && { message }),
  };
}

function explainPlain(bytes: Uint8Array): Content {
  const declaration = bytes.length >= 2 ? messageByNumber(bytes[1]!) : undefined;
  const ranges: Range[] = headerRanges(bytes, declaration, FRAME_OVERHEAD);
  const decoded = decodeFrame(bytes);
  let stop: BodyStop | undefined;
  if (bytes.length >= FRAME_OVERHEAD) {
    const bodyEnd = bytes.length - CRC_BYTES;
    if (declaration !== undefined) {
      const body = walkBody(bytes, HEADER_BYTES, bodyEnd, declaration);
      ranges.push(...body.ranges);
      stop = body.stop;
    } else if (bodyEnd > HEADER_BYTES) {
      ranges.push(range(bytes, 'body', HEADER_BYTES, bodyEnd - HEADER_BYTES, 'Of a type that is not known.'));
    }
    ranges.push(crcRange(bytes, decoded));
  }
  const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
  const finding = decoded.ok ? bodyProblem(body!, bytes, stop) : frameProblem(decoded, bytes);
  return { bytes, ranges, finding, ...(body?.ok && { message: body.message }) };
}

function crcRange(bytes: Uint8Array, decoded: { ok: true } | FrameFailure): Range {
  const meaning =
    decoded.ok || decoded.code === 'bad-version'
      ? 'CRC-32/ISO-HDLC over everything before it: right.'
      : decoded.code === 'bad-crc'
        ? `CRC-32/ISO-HDLC over everything before it: wrong, it would be ${hex32(decoded.computed)}.`
        : 'Not checked.';
  const at = bytes.length - CRC_BYTES;
  return range(bytes, 'crc', at, CRC_BYTES, meaning, hex32(u32(bytes, at)));
}

function frameProblem(failure: FrameFailure, bytes: Uint8Array): Finding {
  const { code, offset } = failure;
  switch (code) {
    case 'too-short':
      return { code, offset, text: `${bytes.length} bytes, where header and CRC alone take ${FRAME_OVERHEAD}` };
    case 'too-long':
      return { code, offset, text: `${bytes.length} bytes, where ${MAX_DATAGRAM_BYTES} are the most` };
    case 'unsupported-security':
      return { code, offset, text: `there is no security level ${(bytes[0]! >> 3) & 3}` };
    case 'bad-crc':
      return { code, offset, text: `CRC computed ${hex32(failure.computed)}, received ${hex32(failure.received)}` };
    case 'bad-version':
      return { code, offset, text: `version ${bytes[0]! >> 5}, where only ${LINK_VERSION} is known` };
    default:
      return { code, offset, text: code };
  }
}
