/** From what somebody has written to the raw value of a channel (pure): the way back of payload.ts, just as exact. */
import type { RawValue, ValueType } from '../../protocol/index.ts';
import type { PlainValue } from './flat-json.ts';

export type Converted =
  | { readonly ok: true; readonly value: RawValue }
  | { readonly ok: false; readonly error: string };

const RANGES: Readonly<Partial<Record<ValueType, readonly [bigint, bigint]>>> = {
  u8: [0n, 0xffn],
  i8: [-0x80n, 0x7fn],
  u16: [0n, 0xffffn],
  i16: [-0x8000n, 0x7fffn],
  u32: [0n, 0xffff_ffffn],
  i32: [-0x8000_0000n, 0x7fff_ffffn],
  u64: [0n, 0xffff_ffff_ffff_ffffn],
  i64: [-0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
};

const DECIMAL = /^([+-]?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?$/;
/** More digits than any value needs; keeps the arithmetic on peers' text small. */
const MAX_NUMBER_TEXT = 400;
const MAX_BYTES = 255;

/** Plain text as on `/set/<channel>`: it has no types of its own, so the channel's type says what it means. */
export function convertText(text: string, type: ValueType, scale: number): Converted {
  return convert({ kind: 'string', text }, type, scale);
}

/** A member of the JSON object on `/set`. Text is read as on `/set/<channel>`. */
export function convert(value: PlainValue, type: ValueType, scale: number): Converted {
  if (value.kind === 'null') return refused('null is no value');
  if (type === 'bool') return toBool(value);
  if (type === 'string') return toText(value);
  if (type === 'bytes') return toBytes(value);
  if (value.kind === 'bool') return refused(`true and false are no values of type ${type}`);
  const text = value.kind === 'string' ? value.text.trim() : value.text;
  return type === 'f32' || type === 'f64' ? toFloat(text, type, scale) : toInteger(text, type, scale);
}

function refused(error: string): Converted {
  return { ok: false, error };
}

function toBool(value: Exclude<PlainValue, { kind: 'null' }>): Converted {
  if (value.kind === 'bool') return { ok: true, value: value.value };
  switch (value.text.trim().toLowerCase()) {
    case 'on':
    case 'true':
    case '1':
      return { ok: true, value: true };
    case 'off':
    case 'false':
    case '0':
      return { ok: true, value: false };
    default:
      return refused('must be ON, OFF, true, false, 1 or 0');
  }
}

function toText(value: Exclude<PlainValue, { kind: 'null' }>): Converted {
  const text = value.kind === 'bool' ? String(value.value) : value.text;
  if (Buffer.byteLength(text) > MAX_BYTES) return refused(`must have at most ${MAX_BYTES} bytes`);
  if (/\p{Surrogate}/u.test(text)) return refused('must be valid Unicode');
  return { ok: true, value: text };
}

function toBytes(value: Exclude<PlainValue, { kind: 'null' }>): Converted {
  const text = value.kind === 'bool' ? '' : value.text.trim();
  if (value.kind !== 'string' || text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    return refused('must be text of hex digits, two a byte');
  }
  if (text.length > 2 * MAX_BYTES) return refused(`must have at most ${MAX_BYTES} bytes`);
  return { ok: true, value: new Uint8Array(Buffer.from(text, 'hex')) };
}

/** text ÷ 10^scale, exactly, or refused: a value that the channel cannot express is not rounded in silence. */
function toInteger(text: string, type: ValueType, scale: number): Converted {
  const parts = decimal(text);
  const range = RANGES[type];
  if (parts === undefined || range === undefined) return refused('must be a number');
  let { digits, exponent } = parts;
  exponent -= scale;
  if (exponent < 0) {
    const kept = digits.length + exponent;
    const cut = kept > 0 ? digits.slice(kept) : digits;
    if (!/^0*$/.test(cut)) return refused(scale === 0 ? 'must be a whole number' : `must be a multiple of 1e${scale}`);
    digits = kept > 0 ? digits.slice(0, kept) : '0';
    exponent = 0;
  }
  if (exponent > 40 && !/^0*$/.test(digits)) return refused(outOfRange(type));
  const size = BigInt(digits) * 10n ** BigInt(Math.min(exponent, 40));
  const raw = parts.negative ? -size : size;
  if (raw < range[0] || raw > range[1]) return refused(outOfRange(type));
  return { ok: true, value: type === 'u64' || type === 'i64' ? raw : Number(raw) };
}

function toFloat(text: string, type: 'f32' | 'f64', scale: number): Converted {
  const parts = decimal(text);
  if (parts === undefined) return refused('must be a number');
  const exact = Number(`${parts.negative ? '-' : ''}${parts.digits}e${parts.exponent - scale}`);
  const value = type === 'f32' ? Math.fround(exact) : exact;
  return Number.isFinite(value) ? { ok: true, value } : refused(outOfRange(type));
}

function outOfRange(type: ValueType): string {
  return `does not fit into ${type}`;
}

/** `digits` × 10^`exponent`. */
function decimal(text: string): { negative: boolean; digits: string; exponent: number } | undefined {
  if (text.length > MAX_NUMBER_TEXT) return undefined;
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  return { negative: sign === '-', digits: whole + fraction, exponent: Number(exponent) - fraction.length };
}
