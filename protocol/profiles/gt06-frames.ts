/**
 * How the packets of GT06 trackers are found in the bytes.
 *
 * ```
 *   78 78 | length u8  | protocol u8 | content | serial u16 | CRC u16 | 0d 0a        whole = length + 5
 *   79 79 | length u16 | protocol u8 | content | serial u16 | CRC u16 | 0d 0a        whole = length + 6
 *         └──────────────── CRC-16/X-25 ───────┘
 * ```
 *
 * Some trackers send a wrong length. Their packets are taken up to the next 0d 0a, but only if the CRC over that is right:
 * a length is a claim, a CRC is evidence.
 */
import { makeNamedCrc } from '../checksum.ts';
import type { FrameDecoder } from '../framing/frame-decoder.ts';
import { BAD_LENGTH, NEED_MORE, ResyncDecoder, UNKNOWN_TYPE } from '../framing/resync-decoder.ts';
import type { FailedChecksum } from '../profile/profile.ts';
import { hexNumber, relabelled } from './codec.ts';

/** The longest packet that is waited for. */
export const MAX_FRAME = 1_024;
const LEAST = 10;
/** A packet with a wrong length is searched for its tail no further than a length of one byte could reach. */
const SEARCHED = 260;
const NOTHING = new Uint8Array(0);
const TAIL = Uint8Array.of(0x0d, 0x0a);
const crc = makeNamedCrc('CRC-16/IBM-SDLC');

/** A decoder of packets, in either direction. */
export function packetDecoder(): FrameDecoder {
  const inner = new ResyncDecoder({
    sync: NOTHING,
    probe,
    trailer: TAIL,
    verify: (frame) => failedCrc(frame) === undefined,
    contentFrom: (_data, at) => at,
    contentTo: (at, total) => at + total,
  });
  return relabelled(inner, undefined);
}

/** Where the protocol number stands: behind a length of one byte or of two. */
export function protocolAt(frame: Uint8Array): number {
  return frame[0] === 0x79 ? 4 : 3;
}

/** How long the packet at `data[at]` is: as it says, or up to where its CRC is right. */
function probe(data: Uint8Array, at: number, end: number): number {
  const sync = data[at]!;
  if (sync !== 0x78 && sync !== 0x79) return UNKNOWN_TYPE;
  if (at + 2 > end) return NEED_MORE;
  if (data[at + 1] !== sync) return UNKNOWN_TYPE;
  const long = sync === 0x79;
  if (at + (long ? 4 : 3) > end) return NEED_MORE;
  const claimed = long ? ((data[at + 2]! << 8) | data[at + 3]!) + 6 : data[at + 2]! + 5;
  const plausible = claimed >= LEAST && claimed <= MAX_FRAME;
  const whole = plausible && at + claimed <= end;
  if (whole && isTail(data, at + claimed - 2)) return claimed;
  const found = search(data, at, Math.min(end, at + SEARCHED));
  if (found > 0) return found;
  // A packet that is still coming is waited for; one with a wrong length up to its tail.
  if (found === BAD_LENGTH && (whole || !plausible)) return BAD_LENGTH;
  if (plausible && !whole) return claimed;
  return end - at >= SEARCHED ? BAD_LENGTH : NEED_MORE;
}

/** The length up to the first 0d 0a if the CRC is right there; BAD_LENGTH if it is not, NEED_MORE if there is none yet. */
function search(data: Uint8Array, at: number, end: number): number {
  for (let i = at + LEAST - 2; i + 1 < end; i++) {
    if (!isTail(data, i)) continue;
    const total = i + 2 - at;
    const frame = new Uint8Array(data.buffer, data.byteOffset + at, total);
    return failedCrc(frame) === undefined ? total : BAD_LENGTH;
  }
  return NEED_MORE;
}

function isTail(data: Uint8Array, at: number): boolean {
  return data[at] === 0x0d && data[at + 1] === 0x0a;
}

/** What is wrong with a packet's CRC. */
export function failedCrc(frame: Uint8Array): FailedChecksum | undefined {
  if (frame.length < LEAST) return undefined;
  const at = frame.length - 4;
  const computed = crc(frame, 2, at);
  const received = (frame[at]! << 8) | frame[at + 1]!;
  if (computed === received) return undefined;
  return { computed: hexNumber(computed, 4), received: hexNumber(received, 4), at };
}

/** A packet around protocol number and content. */
export function packet(protocol: number, content: Uint8Array, serial: number, long = false): Uint8Array {
  const counted = content.length + 5;
  if (!long && counted > 0xff) throw new RangeError(`${content.length} bytes are too long for a packet`);
  const head = long ? [0x79, 0x79, counted >> 8, counted & 0xff, protocol] : [0x78, 0x78, counted, protocol];
  const frame = new Uint8Array(head.length + content.length + 6);
  frame.set(head);
  frame.set(content, head.length);
  const at = frame.length - 6;
  frame.set([serial >> 8, serial & 0xff], at);
  const sum = crc(frame, 2, at + 2);
  frame.set([sum >> 8, sum & 0xff, 0x0d, 0x0a], at + 2);
  return frame;
}
