/**
 * The frame around every message.
 *
 * ```
 *   0    1      2         6         10      n−4
 *   vf | type | sid u32 | seq u32 | body … | crc32 u32
 *   │                                        └ CRC-32/ISO-HDLC over everything before it
 *   └ bits 7–5 version = 1 | 4–3 security | 2 down | 1 ack wanted | 0 critical
 * ```
 */
import { crc32 } from '../checksum.ts';

export const LINK_VERSION = 1;
/** Header and CRC: the size of a frame without a body. */
export const FRAME_OVERHEAD = 14;
export const HEADER_BYTES = 10;
export const CRC_BYTES = 4;
/** The longest frame on a stream, header and CRC included. */
export const MAX_FRAME_BYTES = 1024;
/** The longest datagram. */
export const MAX_DATAGRAM_BYTES = 1200;
/** The longest frame before the session stands. */
export const MAX_FRAME_BEFORE_SESSION = 256;

/** Security levels, bits 4–3 of `vf`: 0 is a CRC, 1 is reserved for authenticated encryption, 2 and 3 are free. */
const SECURITY_CRC = 0;

/** What of the header the sender chooses. Flags left out are not set. */
export interface FrameHeader {
  /** Number of the message type. */
  readonly type: number;
  readonly sid: number;
  readonly seq: number;
  readonly down?: boolean;
  readonly ackWanted?: boolean;
  readonly critical?: boolean;
}

/** A frame whose checksum is right; nothing is known about its body yet. A view into the bytes it came in. */
export class LinkFrame {
  readonly version: number = LINK_VERSION;
  readonly security: number = SECURITY_CRC;
  /** From the gateway to the device. */
  readonly down: boolean;
  /** Carries a number of the reliable counter and wants an ACK. */
  readonly ackWanted: boolean;
  /** Who does not know the type must end the session. */
  readonly critical: boolean;
  readonly type: number;
  readonly sid: number;
  readonly seq: number;
  /** The whole frame; the body is `bytes[HEADER_BYTES..bodyEnd)`. */
  readonly bytes: Uint8Array;
  readonly bodyEnd: number;

  constructor(bytes: Uint8Array) {
    const vf = bytes[0]!;
    this.down = (vf & 4) !== 0;
    this.ackWanted = (vf & 2) !== 0;
    this.critical = (vf & 1) !== 0;
    this.type = bytes[1]!;
    this.sid = u32(bytes, 2);
    this.seq = u32(bytes, 6);
    this.bytes = bytes;
    this.bodyEnd = bytes.length - CRC_BYTES;
  }

  get body(): Uint8Array {
    return this.bytes.subarray(HEADER_BYTES, this.bodyEnd);
  }
}

/** Why bytes are no frame. */
export type FrameErrorCode =
  /** Less than header and CRC. */
  | 'too-short'
  /** More than the limit given. */
  | 'too-long'
  /** A security level that needs keys, or none that exists. */
  | 'unsupported-security'
  /** The CRC computed is not the one received. */
  | 'bad-crc'
  /** A version other than 1, though the CRC is right. */
  | 'bad-version';

/** `offset` is where in the bytes the trouble is; a bad CRC is told with both values. */
export interface FrameFailure {
  readonly ok: false;
  readonly code: FrameErrorCode;
  readonly offset: number;
  readonly computed?: number;
  readonly received?: number;
}

export type DecodedFrame = { readonly ok: true; readonly frame: LinkFrame } | FrameFailure;

/** Checks a frame and takes its header apart. Never throws. The frame is a view: copy `bytes` to keep it. */
export function decodeFrame(bytes: Uint8Array, maxBytes: number = MAX_DATAGRAM_BYTES): DecodedFrame {
  const length = bytes.length;
  if (length < FRAME_OVERHEAD) return { ok: false, code: 'too-short', offset: length };
  if (length > maxBytes) return { ok: false, code: 'too-long', offset: maxBytes };
  const vf = bytes[0]!;
  // Before the CRC, because with encryption there is none; the version after it, because noise has no version.
  if (((vf >> 3) & 3) !== SECURITY_CRC) return { ok: false, code: 'unsupported-security', offset: 0 };
  const crcAt = length - CRC_BYTES;
  const received = u32(bytes, crcAt);
  const computed = crc32(bytes, 0, crcAt);
  if (received !== computed) return { ok: false, code: 'bad-crc', offset: crcAt, computed, received };
  if (vf >> 5 !== LINK_VERSION) return { ok: false, code: 'bad-version', offset: 0 };
  return { ok: true, frame: new LinkFrame(bytes) };
}

/** Puts header and CRC around a body. RangeError when the whole is longer than a datagram may be. */
export function encodeFrame(header: FrameHeader, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(body.length + FRAME_OVERHEAD);
  writeHeader(frame, header);
  frame.set(body, HEADER_BYTES);
  return sealFrame(frame);
}

/** Writes a header into the first bytes of a frame under construction. */
export function writeHeader(frame: Uint8Array, { type, sid, seq, down, ackWanted, critical }: FrameHeader): void {
  if (type !== (type & 0xff)) throw new RangeError(`${type} is no message type`);
  if (sid !== sid >>> 0) throw new RangeError(`${sid} is no sid`);
  if (seq !== seq >>> 0) throw new RangeError(`${seq} is no seq`);
  frame[0] = (LINK_VERSION << 5) | (SECURITY_CRC << 3) | (down ? 4 : 0) | (ackWanted ? 2 : 0) | (critical ? 1 : 0);
  frame[1] = type;
  putU32(frame, 2, sid);
  putU32(frame, 6, seq);
}

/** Writes the CRC into the last bytes of a frame that is complete but for it, and returns the frame. */
export function sealFrame(frame: Uint8Array): Uint8Array {
  if (frame.length > MAX_DATAGRAM_BYTES) throw new RangeError(`a frame of ${frame.length} bytes`);
  const crcAt = frame.length - CRC_BYTES;
  putU32(frame, crcAt, crc32(frame, 0, crcAt));
  return frame;
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24;
  bytes[at + 1] = value >> 16;
  bytes[at + 2] = value >> 8;
  bytes[at + 3] = value;
}
