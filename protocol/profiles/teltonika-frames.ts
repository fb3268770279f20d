/**
 * How a Teltonika tracker's packets are found in the bytes.
 *
 * ```
 *   TCP, first      length u16 = 15 | IMEI as 15 digits                              answered 01 (welcome) or 00
 *   TCP, then       00 00 00 00 | length u32 | data | CRC-16/ARC in a u32            answered by the number of records, u32
 *   TCP, idle       ff
 *   UDP             length u16 | packet u16 | 01 | AVL packet u8 | 00 0f | IMEI | data   answered in the same shape
 *
 *   data            codec u8 | number of records u8 | … | the same number u8
 *                   └ 08, 8e, 10: records; 0c, 0d, 0e: texts
 * ```
 *
 * The three shapes cannot be taken for one another: they begin with 00 0f, with four zeros, and with a length that is
 * neither and has 01 behind the packet's number.
 */
import { makeNamedCrc } from '../checksum.ts';
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import { BAD_LENGTH, NEED_MORE, ResyncDecoder, TOO_LONG, UNKNOWN_TYPE } from '../framing/resync-decoder.ts';
import type { FailedChecksum } from '../profile/profile.ts';
import { hexNumber, relabelled } from './codec.ts';

export const CODEC_8 = 0x08;
export const CODEC_8E = 0x8e;
export const CODEC_16 = 0x10;
export const CODEC_12 = 0x0c;

/** The largest packet, in all; trackers stay below 4 KB. */
export const MAX_FRAME = 4_608;
const IMEI_DIGITS = 15;
/** Bytes around the data of a TCP packet, and in front of that of a datagram. */
const TCP_HEAD = 8;
const TCP_EXTRA = 12;
export const UDP_HEAD: number = 8 + IMEI_DIGITS;
/** codec, number, number */
const LEAST_DATA = 3;
const KEEPALIVE = 0xff;
const NOTHING = new Uint8Array(0);
const crc = makeNamedCrc('CRC-16/ARC');

export type PacketKind = 'login' | 'tcp' | 'udp';

/** Which shape a frame out of the decoder has. */
export function packetKind(frame: Uint8Array): PacketKind {
  if (frame[0] === 0 && frame[1] === IMEI_DIGITS && frame.length === 2 + IMEI_DIGITS) return 'login';
  return frame[0] === 0 && frame[1] === 0 ? 'tcp' : 'udp';
}

/** Where the data lies in a packet. */
export function dataBounds(frame: Uint8Array): readonly [from: number, to: number] {
  return packetKind(frame) === 'udp' ? [UDP_HEAD, frame.length] : [TCP_HEAD, frame.length - 4];
}

/** Fifteen digits, or undefined. */
export function readImei(frame: Uint8Array, at: number): string | undefined {
  if (at + IMEI_DIGITS > frame.length) return undefined;
  let imei = '';
  for (let i = at; i < at + IMEI_DIGITS; i++) {
    const byte = frame[i]!;
    if (!isDigit(byte)) return undefined;
    imei += String.fromCharCode(byte);
  }
  return imei;
}

/** A decoder of what the tracker sends. */
export function packetDecoder(): FrameDecoder {
  const inner = new ResyncDecoder({
    sync: NOTHING,
    probe,
    trailer: NOTHING,
    verify: (frame) => failedCrc(frame) === undefined,
    contentFrom: (_data, at) => at,
    contentTo: (at, total) => at + total,
  });
  return relabelled(inner, KEEPALIVE);
}

/** How long the packet at `data[at]` is. */
function probe(data: Uint8Array, at: number, end: number): number {
  const first = data[at]!;
  if (first === KEEPALIVE) return UNKNOWN_TYPE;
  if (at + 2 > end) return NEED_MORE;
  const head = (first << 8) | data[at + 1]!;
  if (head === IMEI_DIGITS) {
    for (let i = at + 2; i < Math.min(end, at + 2 + IMEI_DIGITS); i++) if (!isDigit(data[i]!)) return UNKNOWN_TYPE;
    return 2 + IMEI_DIGITS;
  }
  return head === 0 ? probeTcp(data, at, end) : probeUdp(data, at, end, head + 2);
}

function probeTcp(data: Uint8Array, at: number, end: number): number {
  for (let i = at + 2; i < Math.min(end, at + 4); i++) if (data[i] !== 0) return UNKNOWN_TYPE;
  if (at + TCP_HEAD > end) return NEED_MORE;
  let length = 0;
  for (let i = at + 4; i < at + TCP_HEAD; i++) length = length * 256 + data[i]!;
  if (length < LEAST_DATA) return BAD_LENGTH;
  if (length + TCP_EXTRA > MAX_FRAME) return TOO_LONG;
  return at + TCP_HEAD < end && !isCodec(data[at + TCP_HEAD]!) ? UNKNOWN_TYPE : length + TCP_EXTRA;
}

/** A datagram has no checksum: all that is known of it must hold. */
function probeUdp(data: Uint8Array, at: number, end: number, total: number): number {
  if (total < UDP_HEAD + LEAST_DATA) return UNKNOWN_TYPE;
  if (total > MAX_FRAME) return UNKNOWN_TYPE;
  if (at + 5 <= end && data[at + 4] !== 0x01) return UNKNOWN_TYPE;
  if (at + UDP_HEAD >= end) return NEED_MORE;
  if (data[at + 6] !== 0 || data[at + 7] !== IMEI_DIGITS || !isCodec(data[at + UDP_HEAD]!)) return UNKNOWN_TYPE;
  for (let i = at + 8; i < at + UDP_HEAD; i++) if (!isDigit(data[i]!)) return UNKNOWN_TYPE;
  if (at + total > end) return total;
  return data[at + UDP_HEAD + 1] === data[at + total - 1] ? total : BAD_LENGTH;
}

/** A decoder of what a server sends: answers and texts. */
export function serverDecoder(): FrameDecoder {
  return new ResyncDecoder({
    sync: NOTHING,
    probe: (data, at, end) => {
      if (data[at] === 0x01) return 1;
      if (data[at] !== 0x00) return UNKNOWN_TYPE;
      if (at + 4 > end) return NEED_MORE;
      if (data[at + 1] === 0x05) return 7;
      if (data[at + 1] !== 0 || data[at + 2] !== 0) return UNKNOWN_TYPE;
      return data[at + 3] === 0 ? probeTcp(data, at, end) : 4;
    },
    trailer: NOTHING,
    verify: (frame) => frame.length < TCP_EXTRA || failedCrc(frame) === undefined,
    contentFrom: (_data, at) => at,
    contentTo: (at, total) => at + total,
  });
}

/** What is wrong with the CRC of a TCP packet; the other shapes have none. */
export function failedCrc(frame: Uint8Array): FailedChecksum | undefined {
  if (frame.length < TCP_EXTRA + LEAST_DATA || packetKind(frame) !== 'tcp') return undefined;
  const at = frame.length - 4;
  const computed = crc(frame, TCP_HEAD, at);
  let received = 0;
  for (let i = at; i < frame.length; i++) received = received * 256 + frame[i]!;
  if (computed === received) return undefined;
  return { computed: hexNumber(computed, 8), received: hexNumber(received, 8), at };
}

/** A TCP packet around `data`. */
export function tcpPacket(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + TCP_EXTRA);
  frame.set(u32(data.length), 4);
  frame.set(data, TCP_HEAD);
  frame.set(u32(crc(data)), frame.length - 4);
  return frame;
}

/** A datagram around `data`. */
export function udpPacket(packet: number, avlPacket: number, imei: Uint8Array, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(UDP_HEAD + data.length);
  const length = frame.length - 2;
  frame.set([length >> 8, length & 0xff, packet >> 8, packet & 0xff, 0x01, avlPacket, 0, IMEI_DIGITS]);
  frame.set(imei, 8);
  frame.set(data, UDP_HEAD);
  return frame;
}

/** A number in four bytes. */
export function u32(number: number): Uint8Array {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isCodec(byte: number): boolean {
  return byte === CODEC_8 || byte === CODEC_8E || byte === CODEC_16 || (byte >= CODEC_12 && byte <= 0x0e);
}
