/**
 * Modbus frames in a stream.
 *
 * ```
 *   rtu    unit | 03 | n | n bytes | CRC      no sync: every byte may begin a frame, the CRC decides
 *   tcp    transaction | 0000 | length | …
 *   ascii  : … CR LF
 * ```
 */
import type { FrameDecoder } from '../../framing/frame-decoder.ts';
import { BAD_LENGTH, NEED_MORE, NOT_HERE, ResyncDecoder, TOO_LONG } from '../../framing/resync-decoder.ts';
import { MAX_PDU, unwrapFrame } from './pdu.ts';
import type { Variant } from './pdu.ts';

const NOTHING = new Uint8Array(0);
const MAX_ASCII = 2 * (MAX_PDU + 2) + 3;

type Probe = (data: Uint8Array, at: number, end: number) => number;

/** A decoder of answers, or of requests for the simulator. `others` are lengths of requests of other functions. */
export function modbusDecoder(
  variant: Variant,
  side: 'answers' | 'requests',
  others: ReadonlyMap<number, number> = new Map(),
): FrameDecoder {
  const probe =
    variant === 'tcp'
      ? probeTcp
      : variant === 'ascii'
        ? probeAscii
        : side === 'answers'
          ? rtuAnswer(others)
          : rtuRequest(others);
  return new ResyncDecoder({
    sync: NOTHING,
    probe,
    trailer: NOTHING,
    verify: variant === 'tcp' ? undefined : (frame) => unwrapFrame(variant, frame) !== undefined,
    contentFrom: (_, at) => at,
    contentTo: (at, total) => at + total,
  });
}

/** The length of an answer follows from its function and byte count. */
function rtuAnswer(others: ReadonlyMap<number, number>): Probe {
  return (data, at, end) => {
    if (at + 2 > end) return NEED_MORE;
    const fn = data[at + 1]!;
    if (fn > 0x80) return EXCEPTED.has(fn - 0x80) || others.has(fn - 0x80) ? 5 : NOT_HERE;
    if (fn >= 1 && fn <= 4) {
      if (at + 3 > end) return NEED_MORE;
      const count = data[at + 2]!;
      if (count === 0 || count > 250 || (fn > 2 && count % 2 !== 0)) return BAD_LENGTH;
      return count + 5;
    }
    if (fn === 5 || fn === 6 || fn === 15 || fn === 16) return 8;
    return others.get(fn) ?? NOT_HERE;
  };
}

/** Functions whose refusal is told. */
const EXCEPTED: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 15, 16]);

function rtuRequest(others: ReadonlyMap<number, number>): Probe {
  return (data, at, end) => {
    if (at + 2 > end) return NEED_MORE;
    const fn = data[at + 1]!;
    if (fn >= 1 && fn <= 6) return 8;
    if (fn === 15 || fn === 16) {
      if (at + 7 > end) return NEED_MORE;
      return data[at + 6]! > 246 ? BAD_LENGTH : data[at + 6]! + 9;
    }
    return others.get(fn) ?? NOT_HERE;
  };
}

function probeTcp(data: Uint8Array, at: number, end: number): number {
  // The protocol is 0, and no frame has more than 254 bytes behind the length.
  for (let i = 2; i < 5; i++) {
    if (at + i >= end) return NEED_MORE;
    if (data[at + i] !== 0) return NOT_HERE;
  }
  if (at + 6 > end) return NEED_MORE;
  const length = data[at + 5]!;
  if (length < 3) return BAD_LENGTH;
  return length > MAX_PDU + 1 ? TOO_LONG : length + 6;
}

function probeAscii(data: Uint8Array, at: number, end: number): number {
  if (data[at] !== 0x3a) return NOT_HERE;
  const stop = Math.min(end, at + MAX_ASCII);
  for (let i = at + 1; i < stop; i++) {
    if (data[i] === 0x3a) return BAD_LENGTH;
    if (data[i] === 0x0a) return data[i - 1] === 0x0d ? i + 1 - at : BAD_LENGTH;
  }
  return end - at >= MAX_ASCII ? TOO_LONG : NEED_MORE;
}
