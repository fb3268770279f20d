/**
 * Explains bytes to people: which range is what, and where and why a bad frame is bad. Not a hot path.
 *
 * ```
 *   wire    03 22 04 01 …  00      COBS: a code byte in front of each block, 00 behind the frame
 *   frame      22 04 00 …          ranges count from here; wireOffset counts in the bytes given
 * ```
 */
import { CRC_BYTES, decodeFrame, FRAME_OVERHEAD, HEADER_BYTES, LINK_VERSION, MAX_DATAGRAM_BYTES } from './frame.ts';
import type { FrameErrorCode, FrameFailure } from './frame.ts';
import { hex, walkBody } from './explain-body.ts';
import type { BodyStop } from './explain-body.ts';
import { decodeBody } from './message-codec.ts';
import type { BodyErrorCode, BodyFailure, Message } from './message-codec.ts';
import { messageByNumber } from './messages.ts';
import type { MessageDeclaration } from './messages.ts';
import { decodeSchema } from './schema.ts';
import type { SchemaErrorCode } from './schema.ts';

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
export interface ExplainedProblem {
  readonly code: FrameErrorCode | BodyErrorCode | SchemaErrorCode | 'bad-cobs';
  /** Within the frame. */
  readonly offset: number;
  /** Within the bytes given. */
  readonly wireOffset: number;
  /** A sentence with the numbers that matter. */
  readonly text: string;
}

export interface ExplainedFrame {
  /** Of the first byte that belongs to it, within the bytes given. */
  readonly wireOffset: number;
  readonly wireLength: number;
  /** With COBS: whether the 00 behind it was there. */
  readonly delimited: boolean;
  /** The frame itself, COBS taken off (as far as that went). */
  readonly bytes: Uint8Array;
  readonly ok: boolean;
  /** The message's name, or `unknown`. */
  readonly name: string;
  readonly ranges: readonly ExplainedRange[];
  readonly problem?: ExplainedProblem;
  /** When all is well. */
  readonly message?: Message;
}

export interface Explanation {
  readonly form: WireForm;
  /** Every frame is good. */
  readonly ok: boolean;
  /** At least one. */
  readonly frames: readonly ExplainedFrame[];
}

/** Explains a bare frame, or a piece of a stream with any number of frames. `auto` finds out which it is. */
export function explain(bytes: Uint8Array, form: WireForm | 'auto' = 'auto'): Explanation {
  if (form === 'frame') return explainBare(bytes);
  if (form === 'cobs') return explainStream(bytes);
  const bare = explainBare(bytes);
  if (bare.frames[0]?.problem === undefined || decodeFrame(bytes).ok) return bare;
  const stream = explainStream(bytes);
  if (stream.frames.some(({ bytes }) => decodeFrame(bytes).ok)) return stream;
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

function explainBare(bytes: Uint8Array): Explanation {
  const wire = Array.from({ length: bytes.length + 1 }, (_, at) => at);
  const frame = explainFrame({ frame: bytes, wire, wireOffset: 0, wireLength: bytes.length, delimited: false });
  return { form: 'frame', ok: frame.ok, frames: [frame] };
}

function explainStream(bytes: Uint8Array): Explanation {
  const frames: ExplainedFrame[] = [];
  let from = 0;
  while (from < bytes.length) {
    const zero = bytes.indexOf(0, from);
    const to = zero < 0 ? bytes.length : zero;
    if (to > from) frames.push(explainFrame(unwrap(bytes, from, to)));
    from = to + 1;
  }
  if (frames.length === 0) frames.push(explainFrame(unwrap(bytes, 0, 0)));
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

type Range = Omit<ExplainedRange, 'wireOffset'>;

function explainFrame(unwrapped: Unwrapped): ExplainedFrame {
  const { frame: bytes, wire, wireOffset, wireLength, delimited } = unwrapped;
  const place = (offset: number): number => wire[Math.min(offset, wire.length - 1)] ?? 0;
  const declaration = bytes.length >= 2 ? messageByNumber(bytes[1]!) : undefined;
  const ranges: Range[] = headerRanges(bytes, declaration);
  const decoded = decodeFrame(bytes);
  let stop: BodyStop | undefined;
  if (bytes.length >= FRAME_OVERHEAD) {
    const bodyEnd = bytes.length - CRC_BYTES;
    if (declaration !== undefined) {
      const body = walkBody(bytes, bodyEnd, declaration);
      ranges.push(...body.ranges);
      stop = body.stop;
    } else if (bodyEnd > HEADER_BYTES) {
      ranges.push(range(bytes, 'body', HEADER_BYTES, bodyEnd - HEADER_BYTES, 'Of a type that is not known.'));
    }
    ranges.push(crcRange(bytes, decoded));
  }
  const body = decoded.ok ? decodeBody(decoded.frame) : undefined;
  const finding = decoded.ok ? bodyProblem(body!, bytes, stop) : frameProblem(decoded, bytes);
  const problem = unwrapped.problem ?? (finding && { ...finding, wireOffset: place(finding.offset) });
  return {
    wireOffset,
    wireLength,
    delimited,
    bytes,
    ok: problem === undefined,
    name: declaration?.name ?? 'unknown',
    ranges: ranges.map((range) => ({ ...range, wireOffset: place(range.offset) })),
    ...(problem !== undefined && { problem }),
    ...(problem === undefined && body?.ok && { message: body.message }),
  };
}

function range(bytes: Uint8Array, name: string, offset: number, length: number, meaning: string, text?: string): Range {
  return { offset, length, name, value: text ?? hex(bytes.subarray(offset, offset + length)), meaning };
}

/** As much of the header as is there. */
function headerRanges(bytes: Uint8Array, declaration: MessageDeclaration | undefined): Range[] {
  const ranges: Range[] = [];
  const length = bytes.length;
  if (length >= 1) {
    const vf = bytes[0]!;
    const words = [`version ${vf >> 5}`, `security ${(vf >> 3) & 3}`, (vf & 4) !== 0 ? 'down' : 'up'];
    if ((vf & 2) !== 0) words.push('ack wanted');
    if ((vf & 1) !== 0) words.push('critical');
    ranges.push(range(bytes, 'vf', 0, 1, 'Version and flags.', words.join(', ')));
  }
  if (length >= 2) {
    const text = `0x${bytes[1]!.toString(16).padStart(2, '0')} ${declaration?.name ?? 'unknown'}`;
    ranges.push(range(bytes, 'type', 1, 1, declaration?.note ?? 'Not assigned.', text));
  }
  if (length >= 6) {
    const sid = u32(bytes, 2);
    const meaning = sid === 0 ? 'No session.' : 'The session.';
    ranges.push(range(bytes, 'sid', 2, 4, meaning, `0x${sid.toString(16).padStart(8, '0')}`));
  }
  if (length >= 10) {
    const reliable = (bytes[0]! & 2) !== 0;
    const meaning = reliable
      ? 'Number from the reliable counter.'
      : 'Number from the counter of unacknowledged frames.';
    ranges.push(range(bytes, 'seq', 6, 4, meaning, `${u32(bytes, 6)}`));
  }
  const end = length >= 10 ? 10 : length >= 6 ? 6 : Math.min(length, 2);
  if (length < FRAME_OVERHEAD && end < length) {
    ranges.push(range(bytes, 'unread', end, length - end, 'The frame ends too early.'));
  }
  return ranges;
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

type Finding = Omit<ExplainedProblem, 'wireOffset'>;

function frameProblem(failure: FrameFailure, bytes: Uint8Array): Finding {
  const { code, offset } = failure;
  switch (code) {
    case 'too-short':
      return { code, offset, text: `${bytes.length} bytes, where header and CRC alone take ${FRAME_OVERHEAD}` };
    case 'too-long':
      return { code, offset, text: `${bytes.length} bytes, where ${MAX_DATAGRAM_BYTES} are the most` };
    case 'unsupported-security':
      return { code, offset, text: `security level ${(bytes[0]! >> 3) & 3} cannot be read without keys` };
    case 'bad-crc':
      return { code, offset, text: `CRC computed ${hex32(failure.computed)}, received ${hex32(failure.received)}` };
    case 'bad-version':
      return { code, offset, text: `version ${bytes[0]! >> 5}, where only ${LINK_VERSION} is known` };
    default:
      return { code, offset, text: code };
  }
}

function bodyProblem(
  body: { ok: true; message: Message } | BodyFailure,
  bytes: Uint8Array,
  stop: BodyStop | undefined,
): Finding | undefined {
  if (!body.ok) {
    const { code, offset, field } = body;
    return { code, offset, text: HEADER_TEXTS[code] ?? stop?.text ?? `${field} is out of range at offset ${offset}` };
  }
  if (body.message.type !== 'SCHEMA') return undefined;
  const { part, content } = body.message;
  // A later part is judged as if it came after an empty first one.
  const schema = decodeSchema(part === 0 ? [content] : [new Uint8Array(4), content]);
  if (typeof schema !== 'string') return undefined;
  const offset = stop?.offset ?? bytes.length - CRC_BYTES - content.length;
  return { code: schema, offset, text: stop?.text ?? SCHEMA_TEXTS[schema] ?? schema };
}

const HEADER_TEXTS: Partial<Record<BodyErrorCode, string>> = {
  'unknown-message': 'the type is not assigned',
  'wrong-direction': 'this type does not go in this direction',
  'wrong-ack': 'the ack-wanted bit does not fit this type',
  'bad-sid': 'this type has a sid if and only if there is a session',
  'bad-seq': 'HELLO has seq 0, and a frame that wants an ACK never has',
};

const SCHEMA_TEXTS: Partial<Record<SchemaErrorCode, string>> = {
  'trailing-bytes': 'bytes follow the last channel',
  'misplaced-name': 'only part 0 may name device, model and firmware',
  'too-many-channels': 'more than 64 channels',
  'duplicate-channel': 'two channels have the same number',
  'unknown-value-type': 'a channel has a value type that is not assigned',
  'empty-name': 'a channel has no name',
  'long-name': 'a name is longer than 64 bytes, or a unit longer than 16',
};

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function hex32(value = 0): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
