/**
 * Sealed frames, explained as far as that goes: the outside always, the inside of a handshake up with the device's key.
 *
 * ```
 *   handshake up     header | device | publicKey | ciphertext, or the body | tag
 *   handshake down   header |          publicKey | ciphertext              | tag
 *   data             header |                      ciphertext              | tag
 * ```
 */
import { walkBody } from './explain-body.ts';
import type { BodyStop } from './explain-body.ts';
import { bodyProblem, isInHeader } from './explain-content.ts';
import type { Content, Finding } from './explain-content.ts';
import { headerRanges, range } from './explain-header.ts';
import type { Range } from './explain-header.ts';
import { HEADER_BYTES, isSealed, LINK_VERSION, MAX_DATAGRAM_BYTES, TAG_BYTES, u32 } from './frame.ts';
import { decodeBody } from './message-codec.ts';
import type { DecodedBody } from './message-codec.ts';
import { messageByNumber } from './messages.ts';
import { ANSWER_OVERHEAD, HANDSHAKE_OVERHEAD, readHandshake } from './secure/handshake.ts';
import { KEY_BYTES } from './secure/primitives.ts';
import { SEALED_OVERHEAD } from './secure/secure-channel.ts';
import type { SecureErrorCode } from './secure/secure-failure.ts';

/** Whether bytes have all that a sealed frame shows without its key. */
export function looksSealed(bytes: Uint8Array): boolean {
  return isSealed(bytes) && outsideProblem(bytes) === undefined && messageByNumber(bytes[1]!) !== undefined;
}

/** A frame whose security bits say that it is sealed; `key` is the device's. */
export function explainSealed(frame: Uint8Array, key: Uint8Array | undefined): Content {
  const overhead = overheadOf(frame);
  const ranges = headerRanges(frame, messageByNumber(frame[1] ?? 0), overhead);
  const finding = outsideProblem(frame);
  if (frame.length < overhead) return { bytes: frame, ranges, sealed: 'closed', finding };
  let at = HEADER_BYTES;
  const add = (name: string, length: number, meaning: string): void => {
    if (length > 0) ranges.push(range(frame, name, at, length, meaning));
    at += length;
  };
  if (u32(frame, 2) === 0) {
    if ((frame[0]! & 4) === 0) add('device', 8, 'The device whose key it is.');
    add('publicKey', KEY_BYTES, 'Made for this handshake alone.');
  }
  const tagAt = frame.length - TAG_BYTES;
  if (finding === undefined && key !== undefined && overhead === HANDSHAKE_OVERHEAD) {
    return explainHandshake(frame, ranges, key, at);
  }
  add('ciphertext', tagAt - at, 'Sealed: only the two ends have the key.');
  add('tag', TAG_BYTES, 'Poly1305 over header and ciphertext: not checked.');
  return { bytes: frame, ranges, sealed: 'closed', finding };
}

function explainHandshake(frame: Uint8Array, ranges: Range[], key: Uint8Array, bodyStart: number): Content {
  const tagAt = frame.length - TAG_BYTES;
  const tag = (meaning: string): Range => range(frame, 'tag', tagAt, TAG_BYTES, meaning);
  const received = readHandshake(frame);
  const opened = received.ok ? received.open(key) : received;
  if (!opened.ok) {
    if (tagAt > bodyStart) ranges.push(range(frame, 'ciphertext', bodyStart, tagAt - bodyStart, 'Sealed.'));
    ranges.push(tag('Not the one that this key makes.'));
    const offset = opened.code === 'bad-tag' ? tagAt : HEADER_BYTES;
    return { bytes: frame, ranges, sealed: 'closed', finding: { code: opened.code, offset, text: TEXTS[opened.code] } };
  }
  const bytes = frame.slice();
  bytes.set(opened.frame.bytes, bodyStart);
  const declaration = messageByNumber(frame[1]!)!;
  const { ranges: body, stop } = walkBody(bytes, bodyStart, tagAt, declaration);
  ranges.push(...body, tag('Poly1305 over all before it, under the device’s key: right.'));
  const decoded = decodeBody(opened.frame);
  const finding = placed(decoded, bytes, stop, bodyStart);
  return { bytes, ranges, sealed: 'opened', finding, ...(decoded.ok && { message: decoded.message }) };
}

/** The decoder counts from the start of the body when that was sealed. */
function placed(
  decoded: DecodedBody,
  bytes: Uint8Array,
  stop: BodyStop | undefined,
  bodyStart: number,
): Finding | undefined {
  if (decoded.ok || isInHeader(decoded.code)) return bodyProblem(decoded, bytes, stop);
  return bodyProblem({ ...decoded, offset: decoded.offset + bodyStart }, bytes, stop);
}

function overheadOf(frame: Uint8Array): number {
  if (frame.length < HEADER_BYTES || u32(frame, 2) !== 0) return SEALED_OVERHEAD;
  return (frame[0]! & 4) === 0 ? HANDSHAKE_OVERHEAD : ANSWER_OVERHEAD;
}

/** What is wrong with a sealed frame, as far as that shows without its key. */
function outsideProblem(frame: Uint8Array): Finding | undefined {
  const { length } = frame;
  const overhead = overheadOf(frame);
  if (length < overhead) {
    const text = `${length} bytes, where a sealed frame of this kind takes ${overhead} besides its body`;
    return { code: 'too-short', offset: length, text };
  }
  if (length > MAX_DATAGRAM_BYTES) {
    return {
      code: 'too-long',
      offset: MAX_DATAGRAM_BYTES,
      text: `${length} bytes, where ${MAX_DATAGRAM_BYTES} are the most`,
    };
  }
  const version = frame[0]! >> 5;
  if (version !== LINK_VERSION) {
    return { code: 'bad-version', offset: 0, text: `version ${version}, where only ${LINK_VERSION} is known` };
  }
  return undefined;
}

const TEXTS: Record<SecureErrorCode, string> = {
  'too-short': 'too few bytes for a handshake',
  'too-long': 'more bytes than a frame without a session may have',
  'bad-version': 'another version',
  'wrong-direction': 'it goes down',
  'bad-header': 'a handshake begins with HELLO or REPORT',
  'wrong-session': 'of another session',
  'bad-tag': 'the tag does not fit: another key, or not the bytes that were sent',
  replayed: 'it has come before',
  'bad-content': 'inside it names another device than outside',
  'bad-public-key': 'a public key with which there are no secrets',
};
