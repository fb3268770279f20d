/**
 * The sealed frames of a session, after its handshake.
 *
 * ```
 *   0    1      2         6         10                                     n−16
 *   vf | type | sid u32 | seq u32 | ciphertext of: number u32? | body …  | tag
 *   └──── associated data ──────┘                  └ of the reliable counter, when an ACK is wanted
 *                         └ counts what this end transmits, from 1; the nonce: never the same twice
 * ```
 */
import {
  HEADER_BYTES,
  LINK_VERSION,
  LinkFrame,
  MAX_DATAGRAM_BYTES,
  TAG_BYTES,
  isSealed,
  putU32,
  u32,
  writeHeader,
} from '../frame.ts';
import { encodeBody, headerOf } from '../message-codec.ts';
import type { Message } from '../message-codec.ts';
import { messageByName } from '../messages.ts';
import type { AeadKey } from './primitives.ts';
import { ReplayWindow } from './replay-window.ts';
import { failure } from './secure-failure.ts';
import type { SecureFailure } from './secure-failure.ts';

/** Header and tag: the size of a sealed frame of a session that has an empty body and wants no ACK. */
export const SEALED_OVERHEAD: number = HEADER_BYTES + TAG_BYTES;
/** The number that a frame has in front of its body when it wants an ACK. */
export const NUMBER_BYTES = 4;

const MAX_SEQ = 0xffff_ffff;
/** Numbers held in reserve, for a session to end in good order. */
const RESERVE = 1_000;

/** What of a sealed frame's header the sender chooses. */
export interface SealedHeader {
  /** Number of the message type. */
  readonly type: number;
  /** Its number of the reliable counter, for a frame that wants an ACK; else nothing. */
  readonly seq?: number;
  readonly critical?: boolean;
}

/** A sealed frame that was opened: `frame` reads as a plain one does, with its reliable number if it has one. */
export type OpenedFrame = { readonly ok: true; readonly frame: LinkFrame } | SecureFailure;

/** Which session a sealed frame says it belongs to, unverified; 0 for a handshake, and for less than a header. */
export function sealedSid(bytes: Uint8Array): number {
  return bytes.length < HEADER_BYTES ? 0 : u32(bytes, 2);
}

/** One end of a sealed session. Comes out of a handshake; there is one for a pair of keys, ever. */
export class SecureChannel {
  readonly sid: number;
  /** What this end sends goes down: it is the gateway's. */
  private readonly down: boolean;
  private readonly sendKey: AeadKey;
  private readonly receiveKey: AeadKey;
  private readonly window = new ReplayWindow();
  private following = 1;

  constructor(sid: number, down: boolean, sendKey: AeadKey, receiveKey: AeadKey) {
    this.sid = sid;
    this.down = down;
    this.sendKey = sendKey;
    this.receiveKey = receiveKey;
  }

  /** Nearly all its numbers are used up: time for a new session. */
  get spent(): boolean {
    return this.following > MAX_SEQ - RESERVE;
  }

  /**
   * The frame around a body, with the next number of this channel; a retransmission is sealed anew. RangeError for a
   * frame longer than a datagram may be, and when no number is left.
   */
  seal({ type, seq: number, critical = false }: SealedHeader, body: Uint8Array): Uint8Array {
    if (this.following > MAX_SEQ) throw new RangeError('no number is left in this session');
    const ackWanted = number !== undefined;
    const bodyStart = HEADER_BYTES + (ackWanted ? NUMBER_BYTES : 0);
    const frame = new Uint8Array(bodyStart + body.length + TAG_BYTES);
    if (frame.length > MAX_DATAGRAM_BYTES) throw new RangeError(`a frame of ${frame.length} bytes`);
    writeHeader(frame, { type, sid: this.sid, seq: this.following, down: this.down, ackWanted, critical }, true);
    if (ackWanted) putU32(frame, HEADER_BYTES, number);
    frame.set(body, bodyStart);
    this.sendKey.seal(this.following, frame.subarray(0, HEADER_BYTES), frame, HEADER_BYTES);
    this.following++;
    return frame;
  }

  /** The frame of a message; `seq` as in `seal`. */
  sealMessage(message: Message, seq?: number): Uint8Array {
    const { type, ackWanted } = headerOf(messageByName(message.type), {
      sid: this.sid,
      seq: seq ?? 0,
      down: this.down,
      ackWanted: seq !== undefined,
    });
    if (ackWanted !== (seq !== undefined)) throw new RangeError(`${message.type} with seq ${seq}`);
    return this.seal(seq === undefined ? { type } : { type, seq }, encodeBody(message));
  }

  /**
   * Checks and decrypts a frame from the other end. Never throws. What it returns has bytes of its own. A number that
   * has come is refused before anything is decrypted, and counts as come only when the tag is right.
   */
  open(bytes: Uint8Array, maxBytes: number = MAX_DATAGRAM_BYTES): OpenedFrame {
    if (bytes.length < SEALED_OVERHEAD) return failure('too-short');
    if (bytes.length > maxBytes) return failure('too-long');
    const vf = bytes[0]!;
    if (!isSealed(bytes)) return failure('bad-header');
    if (vf >> 5 !== LINK_VERSION) return failure('bad-version');
    if (((vf & 4) !== 0) === this.down) return failure('wrong-direction');
    if (u32(bytes, 2) !== this.sid) return failure('wrong-session');
    const transmission = u32(bytes, 6);
    if (!this.window.isFresh(transmission)) return failure('replayed');
    const plain = this.receiveKey.open(transmission, bytes.subarray(0, HEADER_BYTES), bytes.subarray(HEADER_BYTES));
    if (plain === undefined) return failure('bad-tag');
    this.window.take(transmission);
    const reliable = (vf & 2) !== 0;
    const bodyStart = reliable ? NUMBER_BYTES : 0;
    if (plain.length < bodyStart) return failure('bad-content');
    const seq = reliable ? u32(plain, 0) : transmission;
    return { ok: true, frame: new LinkFrame(bytes, { bytes: plain, bodyStart, sid: this.sid, seq }) };
  }
}
