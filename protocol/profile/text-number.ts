/** Numbers written as digits: `number` is decimal ("-12.5", "230.1*V"), `hexnumber` hexadecimal ("0x1A", "1a"). */
import type { RawNumber } from './codec.ts';
import type { ConvertSpec } from './spec.ts';
import { readDecimal, readHexNumber } from './text-value.ts';

const MAX = 999_999_999_999_999;

/** The raw number behind digits. Of a fixed size it is padded with zeros in front when written. */
export function textNumberFormat(type: 'number' | 'hexnumber', spec: ConvertSpec): RawNumber {
  const size = typeof spec.size === 'number' ? spec.size : undefined;
  const decimal = type === 'number';
  // Bits and names only make sense of whole numbers, which a decimal may be or not.
  const read = decimal ? readDecimalNumber : readHexNumber;
  const digits = Math.min(size ?? 15, decimal ? 15 : 12);
  const max = decimal ? Math.min(MAX, 10 ** digits - 1) : 16 ** digits - 1;
  const toText = (raw: number): string => {
    const text = decimal ? decimalDigits(raw) : Math.trunc(raw).toString(16).toUpperCase();
    if (size === undefined) return text;
    const padded = text.startsWith('-') ? `-${text.slice(1).padStart(size - 1, '0')}` : text.padStart(size, '0');
    if (padded.length > size) throw new RangeError(`${text} does not fit ${size} digits`);
    return padded;
  };
  return {
    size,
    min: decimal ? (size === undefined ? -MAX : -(10 ** Math.max(0, digits - 1) - 1)) : 0,
    max,
    float: decimal && size === undefined,
    big: false,
    partial: true,
    read,
    readBig: (data, from, to) => {
      const value = read(data, from, to);
      return Number.isNaN(value) ? 0n : BigInt(Math.trunc(value));
    },
    write: (data, from, _to, raw) => {
      const text = toText(Number(raw));
      for (let i = 0; i < text.length; i++) data[from + i] = text.charCodeAt(i);
    },
    sizeOf: (raw) => toText(raw).length,
  };
}

function readDecimalNumber(data: Uint8Array, from: number, to: number): number {
  const parsed = readDecimal(data, from, to);
  return parsed === undefined ? Number.NaN : parsed.digits / 10 ** parsed.decimals;
}

/** A number in digits, never with an exponent. */
function decimalDigits(value: number): string {
  if (Number.isInteger(value)) return String(value);
  // A factor such as 1000 may have left an error in the last digit.
  const text = Number(value.toPrecision(15)).toFixed(9).replace(/0+$/, '');
  return text.endsWith('.') ? text.slice(0, -1) : text;
}
