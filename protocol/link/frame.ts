/**
 * The frame around every message.
 *
 * ```
 *   0    1      2         6         10      n−4
 *   vf | type | sid u32 | seq u32 | body … | crc32 u32
 *   │                                        └ CRC-32/ISO-HDLC over everything before it
 *   └ bits 7–5 version = 1 | 4–3 security | 2 down | 1 ack wanted | 0 critical
 * ```
 *
 * A sealed frame has the same header; what follows it is in `secure/`.
 */
import { crc32 } from '../checksum.ts';

export const LINK_VERSION = 1;
/** Header and CRC: the size of a frame without a body. */
export const FRAME_OVERHEAD = 14;
export const HEADER_BYTES = 10;
export const CRC_BYTES = 4;
/** What ends a sealed frame in place of the CRC. */
export const TAG_BYTES = 16;
/** The longest frame on a stream, header and CRC included. */
export const MAX_FRAME_BYTES = 1024;
/** The longest datagram. */
export const MAX_DATAGRAM_BYTES = 1200;
/** The longest frame before the session stands. */
export const MAX_FRAME_BEFORE_SESSION = 256;

/** Security levels, bits 4–3 of `vf`: 0 is a CRC, 1 authenticated encryption, 2 and 3 are free. */
const SECURITY_CRC = 0;
const SECURITY_SEALED = 1;

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

/** Where the body of a frame that was opened lies, and the numbers that the seal has kept. */
export interface Opened {
  /** The plaintext. */
  readonly bytes: Uint8Array;
  /** Where in it the body begins; it goes on to the end. */
  readonly bodyStart: number;
  readonly sid: number;
  /** As in a plain frame: of the reliable counter when an ACK is wanted. */
  readonly seq: number;
}

/**
 * A frame whose checksum or tag is right; nothing is known about its body yet. A plain one is a view into the bytes it
 * came in.
 */
export class LinkFrame {
  /** 0 for a frame with a CRC, 1 for one that was sealed. */
  readonly security: number;
  /** From the gateway to the device. */
  readonly down: boolean;
  /** Carries a number of the reliable counter and wants an ACK. */
  readonly ackWanted: boolean;
  /** Who does not know the type must end the session. */
  readonly critical: boolean;
  readonly type: number;
  readonly sid: number;
  readonly seq: number;
  /** The body is `bytes[bodyStart..bodyEnd)`: of the whole frame, or of the plaintext of a sealed one. */
  readonly bytes: Uint8Array;
  readonly bodyStart: number;
  readonly bodyEnd: number;

  /** `frame` is the whole frame as it came; `opened` what was in it, when it was sealed. */
  constructor(frame: Uint8Array, opened?: Opened) {
    const vf = frame[0]!;
    this.down = (vf & 4) !== 0;
    this.ackWanted = (vf & 2) !== 0;
    this.critical = (vf & 1) !== 0;
    this.type = frame[1]!;
    if (opened === undefined) {
      this.security = SECURITY_CRC;
      this.sid = u32(frame, 2);
      this.seq = u32(frame, 6);
      this.bytes = frame;
      this.bodyStart = HEADER_BYTES;
      this.bodyEnd = frame.length - CRC_BYTES;
    } else {
      this.security = SECURITY_SEALED;
      this.sid = opened.sid;
      this.seq = opened.seq;
      this.bytes = opened.bytes;
      this.bodyStart = opened.bodyStart;
      this.bodyEnd = opened.bytes.length;
    }
  }

  get version(): number {
    return LINK_VERSION;
  }

  get body(): Uint8Array {
    return this.bytes.subarray(this.bodyStart, this.bodyEnd);
  }
}

/** Why bytes are no frame. */
export type FrameErrorCode =
  /** Less than header and CRC. */
  | 'too-short'
  /** More than the limit given. */
  | 'too-long'
  /** A sealed frame, which only its session's keys can check, or a security level that does not exist. */
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

/** Whether the bytes claim to be a sealed frame, whose checks are in `secure/`; nothing else is looked at. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes.length > 0 && ((bytes[0]! >> 3) & 3) === SECURITY_SEALED;
}

/** Puts header and CRC around a body. RangeError when the whole is longer than a datagram may be. */
export function encodeFrame(header: FrameHeader, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(body.length + FRAME_OVERHEAD);
  writeHeader(frame, header);
  frame.set(body, HEADER_BYTES);
  return sealFrame(frame);
}

/** Writes a header into the first bytes of a frame under construction, `sealed` or plain. */
export function writeHeader(frame: Uint8Array, header: FrameHeader, sealed = false): void {
  const { type, sid, seq, down, ackWanted, critical } = header;
  if (type !== (type & 0xff)) throw new RangeError(`${type} is no message type`);
  if (sid !== sid >>> 0) throw new RangeError(`${sid} is no sid`);
  if (seq !== seq >>> 0) throw new RangeError(`${seq} is no seq`);
  const security = sealed ? SECURITY_SEALED : SECURITY_CRC;
  frame[0] = (LINK_VERSION << 5) | (security << 3) | (down ? 4 : 0) | (ackWanted ? 2 : 0) | (critical ? 1 : 0);
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

/** The u32 at an offset that is known to be inside. */
export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes a u32 at an offset that is known to be inside. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24;
  bytes[at + 1] = value >> 16;
  bytes[at + 2] = value >> 8;
  bytes[at + 3] = value;
}
