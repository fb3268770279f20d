/**
 * Text inside a frame: ASCII, decimal and hexadecimal numbers as digits, bytes as hex digits. Read in place, without
 * regular expressions.
 */
import { decodeUtf8 } from '../utf8.ts';

/** A text value has so many bytes at most: what a value of the link protocol holds. */
export const MAX_TEXT_BYTES = 255;

/** Text up to the first NUL, without blanks at its ends; what is not UTF-8 is read as Latin-1. */
export function readText(data: Uint8Array, from: number, to: number): string {
  let end = from;
  const most = Math.min(to, from + MAX_TEXT_BYTES);
  while (end < most && data[end] !== 0) end++;
  let start = from;
  while (start < end && isBlank(data[start]!)) start++;
  while (end > start && isBlank(data[end - 1]!)) end--;
  const text = decodeUtf8(data, start, end);
  if (text !== undefined) return text;
  let latin = '';
  // Two bytes of UTF-8 each beyond 7F: half as many fit.
  const stop = Math.min(end, start + MAX_TEXT_BYTES / 2);
  for (let i = start; i < stop; i++) latin += String.fromCharCode(data[i]!);
  return latin;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

/** A number of decimal digits, with its value as digits / 10^decimals. */
export interface DecimalText {
  digits: number;
  decimals: number;
}

const parsed: DecimalText = { digits: 0, decimals: 0 };

/**
 * The decimal number in `data[from..to)`: sign, digits, a point or comma; blanks around it and a unit behind `*` are
 * passed over. Undefined when it is none, or empty. What comes back is overwritten by the next call.
 */
export function readDecimal(data: Uint8Array, from: number, to: number): DecimalText | undefined {
  let at = from;
  let end = to;
  while (at < end && isBlank(data[at]!)) at++;
  for (let i = at; i < end; i++) {
    if (data[i] === 0x2a || data[i] === 0) end = i;
  }
  while (end > at && isBlank(data[end - 1]!)) end--;
  let negative = false;
  if (at < end && (data[at] === 0x2d || data[at] === 0x2b)) negative = data[at++] === 0x2d;
  if (at === end) return undefined;
  let digits = 0;
  let decimals = -1;
  let count = 0;
  for (; at < end; at++) {
    const byte = data[at]!;
    if (byte >= 0x30 && byte <= 0x39) {
      // Digits beyond what a number holds exactly: not a measurement.
      if (digits >= 9e14) return undefined;
      digits = digits * 10 + byte - 0x30;
      count++;
      if (decimals >= 0) decimals++;
    } else if ((byte === 0x2e || byte === 0x2c) && decimals < 0) {
      decimals = 0;
    } else {
      return undefined;
    }
  }
  if (count === 0) return undefined;
  parsed.digits = negative ? -digits : digits;
  parsed.decimals = Math.max(0, decimals);
  return parsed;
}

/** The hexadecimal number in `data[from..to)`, with or without 0x; NaN when it is none. At most 13 digits. */
export function readHexNumber(data: Uint8Array, from: number, to: number): number {
  let at = from;
  let end = to;
  while (at < end && isBlank(data[at]!)) at++;
  while (end > at && (isBlank(data[end - 1]!) || data[end - 1] === 0)) end--;
  if (end - at > 2 && data[at] === 0x30 && (data[at + 1]! | 0x20) === 0x78) at += 2;
  if (at === end || end - at > 13) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = hexDigit(data[at]!);
    if (digit < 0) return Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

/** The value of a hex digit of either case, or −1. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Bytes as hex digits in lower case; the last byte first with `reversed`. */
export function toHex(data: Uint8Array, from = 0, to: number = data.length, reversed = false): string {
  let text = '';
  for (let i = from; i < to; i++) {
    text += data[reversed ? to - 1 - (i - from) : i]!.toString(16).padStart(2, '0');
  }
  return text;
}

/** The bytes of hex digits, or undefined when it is no whole number of bytes. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** `value` with so many decimals and no more digits than needed. */
export function decimalText(value: number, decimals: number): string {
  return value.toFixed(Math.min(Math.max(decimals, 0), 15));
}
