/**
 * The handshake frames: sealed frames with sid 0, one up and its answer down.
 *
 * ```
 *   up     vf | type | 0 u32 | seq u32 | device u64 | e (32) | ciphertext of: body                 | tag
 *   down   vf | type | 0 u32 | 0 u32   |              e (32) | ciphertext of: type u8, sid u32, body | tag
 * ```
 *
 * Up: HELLO (seq 0) or REPORT (its seq), with the body that it has in a plain frame. Down: WELCOME, or the ACK of the
 * REPORT, or an ERROR; type and sid stand in the ciphertext because nothing else binds them. Header and device id up
 * are bound by Noise's prologue.
 *
 * How it is used. The device:
 *
 * ```
 *   const handshake = beginHandshake(key, hello)                send handshake.frame; a fresh one for each try
 *   const answer = handshake.complete(bytes)                    for each sealed frame with sid 0 that comes
 *   if (answer.ok) decodeBody(answer.frame) …                   WELCOME? answer.channel is the session
 *   channel.seal({ type, seq }, body), channel.sealMessage(message), channel.open(bytes) → frame → decodeBody
 * ```
 *
 * The gateway, for bytes of which `isSealed` is true:
 *
 * ```
 *   sealedSid(bytes) !== 0 → channels.get(sid).open(bytes) → frame → decodeBody, as for a plain frame
 *   const received = readHandshake(bytes)                       received.device: whose key to take
 *   const opened = received.open(key)                           some hashes, no DH; failure 'bad-tag': a wrong key
 *   decodeBody(opened.frame)                                    HELLO or REPORT
 *   opened.answer(welcome, sid) → { frame, channel }            the DH: admit it first
 * ```
 *
 * A HELLO can be a replay until the first frame of its channel has been opened: only then is the session real. The same
 * handshake bytes again (a datagram doubled on its way) are best answered with the same answer's bytes.
 *
 * The codes of ERROR for all this were there before: `authentication_required` (8) for a plain frame where only sealed
 * ones are taken, `authentication_failed` (9) for a handshake that could not be verified.
 */
import { ByteReader } from '../../bytes.ts';
import { encodeUtf8 } from '../../utf8.ts';
import {
  HEADER_BYTES,
  LINK_VERSION,
  LinkFrame,
  MAX_FRAME_BEFORE_SESSION,
  isSealed,
  putU32,
  u32,
  writeHeader,
} from '../frame.ts';
import { encodeBody } from '../message-codec.ts';
import type { Message, MessageOf } from '../message-codec.ts';
import { messageByName, messageByNumber } from '../messages.ts';
import { NOISE_OVERHEAD, readFirst, readSecond, writeFirst, writeSecond } from './noise.ts';
import type { NoiseState } from './noise.ts';
import { joined, KeyPair } from './primitives.ts';
import { SecureChannel } from './secure-channel.ts';
import { failure } from './secure-failure.ts';
import type { SecureFailure } from './secure-failure.ts';

const DEVICE_BYTES = 8;
/** In front of the body in an answer: type and sid. */
const ANSWER_HEAD_BYTES = 5;
/** A handshake frame up without its body: what a HELLO or REPORT is longer by than its body. */
export const HANDSHAKE_OVERHEAD: number = HEADER_BYTES + DEVICE_BYTES + NOISE_OVERHEAD;
/** The same of an answer. */
export const ANSWER_OVERHEAD: number = HEADER_BYTES + NOISE_OVERHEAD + ANSWER_HEAD_BYTES;

/** In front of header and device id in Noise's prologue. */
export const PROLOGUE_LABEL = 'bytes2mqtt link 1';
const label = encodeUtf8(PROLOGUE_LABEL);

/** What a device may begin with. */
export type Beginning = MessageOf<'HELLO'> | MessageOf<'REPORT'>;

/** A handshake that a device has begun. It stays able to take the genuine answer, whatever else comes. */
export interface DeviceHandshake {
  /** To be sent as it is, once or more often. */
  readonly frame: Uint8Array;
  /** Reads an answer. Never throws, but RangeError when the answer has come already. */
  complete(bytes: Uint8Array): CompletedHandshake;
}

/** `channel` is there when `frame` is a WELCOME. */
export type CompletedHandshake =
  | { readonly ok: true; readonly frame: LinkFrame; readonly channel: SecureChannel | undefined }
  | SecureFailure;

/** A handshake frame that has come, unverified. */
export interface ReceivedHandshake {
  readonly ok: true;
  readonly device: bigint;
  /** Verifies it with the device's key of 32 bytes. Never throws. */
  open(key: Uint8Array): OpenedHandshake | SecureFailure;
}

/** A handshake frame made with the device's key, now or earlier: it may be a replay. */
export interface OpenedHandshake {
  readonly ok: true;
  /** HELLO or REPORT, as it would be in a plain frame. */
  readonly frame: LinkFrame;
  /**
   * The answer, with the sid of the new session for WELCOME, and 0 for ACK and ERROR. Generates a key and does the DH:
   * about 0.2 ms. `channel` is there for WELCOME. Each call makes other keys. The key pair is named by test vectors only.
   */
  answer(message: Message, sid: number, own?: KeyPair): AnsweredHandshake | SecureFailure;
}

export interface AnsweredHandshake {
  readonly ok: true;
  readonly frame: Uint8Array;
  readonly channel: SecureChannel | undefined;
}

/**
 * Begins a handshake with a HELLO or REPORT (which has a seq). RangeError for a REPORT that is too long. The key pair is
 * named by test vectors only.
 */
export function beginHandshake(
  key: Uint8Array,
  message: Beginning,
  seq = 0,
  own: KeyPair = new KeyPair(),
): DeviceHandshake {
  const declaration = messageByName(message.type);
  const head = new Uint8Array(HEADER_BYTES + DEVICE_BYTES);
  const ackWanted = declaration.reliable === 'always';
  writeHeader(head, { type: declaration.number, sid: 0, seq, ackWanted }, true);
  putU32(head, HEADER_BYTES, Number(message.device >> 32n));
  putU32(head, HEADER_BYTES + 4, Number(message.device & 0xffff_ffffn));
  const first = writeFirst(key, joined(label, head), own, encodeBody(message));
  const frame = joined(head, first.message);
  if (frame.length > MAX_FRAME_BEFORE_SESSION)
    throw new RangeError(`a frame of ${frame.length} bytes without a session`);
  let open = true;
  return {
    frame,
    complete(bytes) {
      if (!open) throw new RangeError('the handshake is complete');
      const completed = completeHandshake(bytes, first.state, own);
      if (completed.ok) open = false;
      return completed;
    },
  };
}

function completeHandshake(bytes: Uint8Array, state: NoiseState, own: KeyPair): CompletedHandshake {
  const misfit = checkHead(bytes, ANSWER_OVERHEAD, true);
  if (misfit !== undefined) return misfit;
  // Nothing in Noise binds the header of an answer: there is only one that it can have.
  if (bytes[0] !== ANSWER_VF || u32(bytes, 6) !== 0) return failure('bad-header');
  const second = readSecond(state, own, bytes.subarray(HEADER_BYTES));
  if (second === undefined) return failure('bad-tag');
  const { payload, keys } = second;
  const sid = u32(payload, 1);
  if (payload[0] !== bytes[1]) return failure('bad-content');
  const opened = { bytes: payload, bodyStart: ANSWER_HEAD_BYTES, sid, seq: 0 };
  const channel =
    messageByNumber(payload[0]!)?.name === 'WELCOME'
      ? new SecureChannel(sid, false, keys.initiator, keys.responder)
      : undefined;
  return { ok: true, frame: new LinkFrame(bytes, opened), channel };
}

/** Version 1, sealed, down. */
const ANSWER_VF = (LINK_VERSION << 5) | (1 << 3) | 4;

/** Reads a handshake frame from a device as far as that goes without its key. Never throws. */
export function readHandshake(bytes: Uint8Array): ReceivedHandshake | SecureFailure {
  const misfit = checkHead(bytes, HANDSHAKE_OVERHEAD, false);
  if (misfit !== undefined) return misfit;
  const name = messageByNumber(bytes[1]!)?.name;
  if (name !== 'HELLO' && name !== 'REPORT') return failure('bad-header');
  const device = new ByteReader(bytes, HEADER_BYTES).u64();
  return { ok: true, device, open: (key) => openHandshake(bytes, name, key) };
}

/** Where the body of HELLO and of REPORT names the device. */
const DEVICE_AT = { HELLO: 2, REPORT: 0 } as const;

function openHandshake(bytes: Uint8Array, name: 'HELLO' | 'REPORT', key: Uint8Array): OpenedHandshake | SecureFailure {
  const head = bytes.subarray(0, HEADER_BYTES + DEVICE_BYTES);
  const first = readFirst(key, joined(label, head), bytes.subarray(HEADER_BYTES + DEVICE_BYTES));
  if (first === undefined) return failure('bad-tag');
  const { payload, state, theirs } = first;
  for (let i = 0; i < DEVICE_BYTES; i++) {
    if (payload[DEVICE_AT[name] + i] !== head[HEADER_BYTES + i]) return failure('bad-content');
  }
  const frame = new LinkFrame(bytes, { bytes: payload, bodyStart: 0, sid: 0, seq: u32(bytes, 6) });
  return { ok: true, frame, answer: (message, sid, own) => answerHandshake(state, theirs, message, sid, own) };
}

function answerHandshake(
  state: NoiseState,
  theirs: Uint8Array,
  message: Message,
  sid: number,
  own: KeyPair = new KeyPair(),
): AnsweredHandshake | SecureFailure {
  const welcome = message.type === 'WELCOME';
  if (welcome !== (sid !== 0)) throw new RangeError(`${message.type} with sid ${sid}`);
  const type = messageByName(message.type).number;
  const head = new Uint8Array(HEADER_BYTES);
  writeHeader(head, { type, sid: 0, seq: 0, down: true }, true);
  const inner = new Uint8Array(ANSWER_HEAD_BYTES);
  inner[0] = type;
  putU32(inner, 1, sid);
  const second = writeSecond(state, theirs, own, joined(inner, encodeBody(message)));
  if (second === undefined) return failure('bad-public-key');
  const { keys } = second;
  const channel = welcome ? new SecureChannel(sid, true, keys.responder, keys.initiator) : undefined;
  return { ok: true, frame: joined(head, second.message), channel };
}

/** What a handshake frame must have before it is worth any cryptography. */
function checkHead(bytes: Uint8Array, overhead: number, down: boolean): SecureFailure | undefined {
  if (bytes.length < overhead) return failure('too-short');
  if (bytes.length > MAX_FRAME_BEFORE_SESSION) return failure('too-long');
  const vf = bytes[0]!;
  if (!isSealed(bytes) || u32(bytes, 2) !== 0) return failure('bad-header');
  if (vf >> 5 !== LINK_VERSION) return failure('bad-version');
  if (((vf & 4) !== 0) !== down) return failure('wrong-direction');
  return undefined;
}
