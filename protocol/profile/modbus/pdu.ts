/**
 * Modbus protocol data units (MODBUS Application Protocol V1.1b3) and the three ways to frame them.
 *
 * ```
 *   PDU read      fn | address | quantity             →  fn | byte count | data
 *   PDU write     06 address value, 05 address FF00/0000, 10 address quantity count data
 *   exception     fn + 80 | code
 *
 *   rtu    unit | PDU | CRC-16 low high                       silence between frames
 *   tcp    transaction | 0000 | length | unit | PDU           length counts unit and PDU
 *   ascii  : hex(unit | PDU | LRC) CR LF
 * ```
 */
import { lrc8, makeNamedCrc } from '../../checksum.ts';
import type { RegisterTable } from '../spec.ts';
import { hexDigit } from '../text-value.ts';

export type Variant = 'rtu' | 'tcp' | 'ascii';

/** The function that reads a table. */
export const READ_FUNCTIONS: Readonly<Record<RegisterTable, number>> = { coil: 1, discrete: 2, holding: 3, input: 4 };

/** What a device may answer instead (section 7 of the specification). */
export const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'illegal function',
  2: 'illegal data address',
  3: 'illegal data value',
  4: 'server device failure',
  5: 'acknowledge',
  6: 'server device busy',
  8: 'memory parity error',
  10: 'gateway path unavailable',
  11: 'gateway target device failed to respond',
};

export const MAX_PDU = 253;

const crc16 = makeNamedCrc('CRC-16/MODBUS');

/** A request or answer without its framing. */
export interface Adu {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** tcp only. */
  readonly transaction: number;
  /** Where the PDU begins in the frame; in ascii frames every byte takes two. */
  readonly at: number;
}

/** Puts a PDU into a frame. */
export function wrapPdu(variant: Variant, unit: number, pdu: Uint8Array, transaction: number): Uint8Array {
  if (variant === 'tcp') {
    const frame = new Uint8Array(7 + pdu.length);
    frame.set([transaction >> 8, transaction, 0, 0, (pdu.length + 1) >> 8, pdu.length + 1, unit]);
    frame.set(pdu, 7);
    return frame;
  }
  const body = new Uint8Array(pdu.length + 3);
  body[0] = unit;
  body.set(pdu, 1);
  if (variant === 'rtu') {
    const crc = crc16(body, 0, pdu.length + 1);
    body[pdu.length + 1] = crc;
    body[pdu.length + 2] = crc >> 8;
    return body;
  }
  body[pdu.length + 1] = lrc8(body, 0, pdu.length + 1);
  const frame = new Uint8Array(2 * (pdu.length + 2) + 3);
  frame[0] = 0x3a;
  for (let i = 0; i < pdu.length + 2; i++) {
    frame[1 + 2 * i] = hexCode(body[i]! >> 4);
    frame[2 + 2 * i] = hexCode(body[i]! & 0x0f);
  }
  frame.set([0x0d, 0x0a], frame.length - 2);
  return frame;
}

function hexCode(digit: number): number {
  return digit < 10 ? 0x30 + digit : 0x37 + digit;
}

/** Takes a frame apart; undefined when it is none, or fails its checksum. */
export function unwrapFrame(variant: Variant, frame: Uint8Array): Adu | undefined {
  if (variant === 'tcp') {
    if (frame.length < 9 || frame[2] !== 0 || frame[3] !== 0) return undefined;
    if (((frame[4]! << 8) | frame[5]!) + 6 !== frame.length) return undefined;
    return { unit: frame[6]!, pdu: frame.subarray(7), transaction: (frame[0]! << 8) | frame[1]!, at: 7 };
  }
  if (variant === 'rtu') {
    const { length } = frame;
    if (length < 4 || crc16(frame, 0, length - 2) !== (frame[length - 2]! | (frame[length - 1]! << 8)))
      return undefined;
    return { unit: frame[0]!, pdu: frame.subarray(1, length - 2), transaction: 0, at: 1 };
  }
  const bytes = asciiBytes(frame);
  if (bytes === undefined || bytes.length < 3 || lrc8(bytes, 0, bytes.length - 1) !== bytes.at(-1)) return undefined;
  return { unit: bytes[0]!, pdu: bytes.subarray(1, bytes.length - 1), transaction: 0, at: 3 };
}

/** The bytes of an ASCII frame, or undefined. */
export function asciiBytes(frame: Uint8Array): Uint8Array | undefined {
  const { length } = frame;
  if (length < 5 || length % 2 === 0 || frame[0] !== 0x3a || frame[length - 2] !== 0x0d || frame[length - 1] !== 0x0a)
    return undefined;
  const bytes = new Uint8Array((length - 3) / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = hexDigit(frame[1 + 2 * i]!);
    const low = hexDigit(frame[2 + 2 * i]!);
    if (high < 0 || low < 0) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

/** What an RTU or TCP checksum is and should be, as hex; undefined when the frame carries none or it holds. */
export function checksumFailure(
  variant: Variant,
  frame: Uint8Array,
): { computed: string; received: string; at: number } | undefined {
  if (variant === 'rtu' && frame.length >= 4) {
    const at = frame.length - 2;
    const computed = crc16(frame, 0, at);
    const received = frame[at]! | (frame[at + 1]! << 8);
    return computed === received ? undefined : { computed: hex(computed, 4), received: hex(received, 4), at };
  }
  const bytes = variant === 'ascii' ? asciiBytes(frame) : undefined;
  if (bytes === undefined || bytes.length < 3) return undefined;
  const computed = lrc8(bytes, 0, bytes.length - 1);
  const received = bytes.at(-1)!;
  return computed === received
    ? undefined
    : { computed: hex(computed, 2), received: hex(received, 2), at: frame.length - 4 };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Reads `quantity` registers or bits from `address` on. */
export function readPdu(table: RegisterTable, address: number, quantity: number): Uint8Array {
  return Uint8Array.of(READ_FUNCTIONS[table], address >> 8, address, quantity >> 8, quantity);
}

/** Bytes of data in the answer to a read. */
export function answerBytes(table: RegisterTable, quantity: number): number {
  return table === 'coil' || table === 'discrete' ? Math.ceil(quantity / 8) : 2 * quantity;
}

/** Sets one coil. */
export function writeCoilPdu(address: number, on: boolean): Uint8Array {
  return Uint8Array.of(5, address >> 8, address, on ? 0xff : 0, 0);
}

/** Sets registers: function 6 for one, 16 for several. */
export function writeRegistersPdu(address: number, data: Uint8Array): Uint8Array {
  if (data.length === 2) return Uint8Array.of(6, address >> 8, address, data[0]!, data[1]!);
  const pdu = new Uint8Array(6 + data.length);
  pdu.set([16, address >> 8, address, 0, data.length / 2, data.length]);
  pdu.set(data, 6);
  return pdu;
}
