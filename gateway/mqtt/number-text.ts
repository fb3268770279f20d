/**
 * Numbers as JSON text, exactly (pure, hot path): raw × 10^scale is done on the decimal digits, never in binary
 * floating point, so 213 × 10^-1 is `21.3` and a 64-bit counter keeps every digit.
 */

/** `FRACTIONS[k][r]` is `.r` with k digits, without trailing zeros: what most sensors need, without any arithmetic. */
const FRACTIONS: readonly (readonly string[])[] = [0, 1, 2, 3].map((places) =>
  Array.from({ length: 10 ** places }, (_, rest) =>
    rest === 0 ? '' : `.${String(rest).padStart(places, '0').replace(/0+$/, '')}`,
  ),
);
const POWERS = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/** `raw` × 10^`scale` for an integer of at most 53 bits. */
export function integerText(raw: number, scale: number): string {
  if (scale === 0 || raw === 0) return String(raw === 0 ? 0 : raw);
  if (scale < 0 && scale >= -3 && raw > 0) {
    const power = POWERS[-scale]!;
    const whole = Math.floor(raw / power);
    return whole + FRACTIONS[-scale]![raw - whole * power]!;
  }
  return raw < 0 ? `-${integerText(-raw, scale)}` : placePoint(String(raw), scale);
}

/** `raw` × 10^`scale` for a 64-bit integer. */
export function bigintText(raw: bigint, scale: number): string {
  if (scale === 0 || raw === 0n) return raw.toString();
  return raw < 0n ? `-${placePoint((-raw).toString(), scale)}` : placePoint(raw.toString(), scale);
}

/** A finite f64 × 10^`scale`, with the fewest digits that give the same f64 back. */
export function doubleText(raw: number, scale: number): string {
  if (scale === 0 || raw === 0) return String(raw === 0 ? 0 : raw);
  // d.ddde±x has the shortest digits (ECMA-262, Number.prototype.toExponential without an argument)
  return exponentText(raw.toExponential(), scale);
}

/**
 * A finite f32 × 10^`scale`, with the fewest digits that give the same f32 back: 21.3, not 21.299999237060547.
 * @param raw a number that is exactly representable as f32
 */
export function floatText(raw: number, scale: number): string {
  if (raw === 0) return '0';
  const size = Math.abs(raw);
  if (size >= 1e-3 && size < 1e7) {
    for (let places = 0; places <= 9; places++) {
      const power = POWERS[places]!;
      const digits = Math.round(size * power);
      if (Math.fround(digits / power) === size) return (raw < 0 ? '-' : '') + integerText(digits, scale - places);
    }
  }
  // An f32 never needs more than nine digits.
  let precision = 0;
  while (precision < 8 && Math.fround(Number(raw.toExponential(precision))) !== raw) precision++;
  return exponentText(raw.toExponential(precision), scale);
}

/** `-d.ddde±x` × 10^scale. */
function exponentText(text: string, scale: number): string {
  const negative = text.startsWith('-');
  const at = text.indexOf('e');
  const mantissa = text.slice(negative ? 1 : 0, at);
  const digits = mantissa.replace('.', '');
  const places = digits.length - 1;
  const placed = placePoint(digits, Number(text.slice(at + 1)) + scale - places);
  return negative ? `-${placed}` : placed;
}

/**
 * The decimal `digits` (no sign, not zero) × 10^`exponent` as a JSON number: plain while that is readable, else with an
 * exponent. Trailing zeros after the point are dropped; they carry no value.
 */
function placePoint(digits: string, exponent: number): string {
  if (exponent >= 0 && digits.length + exponent <= 21) return digits + '0'.repeat(exponent);
  let end = digits.length;
  while (end > 1 && digits.charCodeAt(end - 1) === 0x30) end--;
  const kept = digits.slice(0, end);
  /** Digits in front of the point. */
  const point = digits.length + exponent;
  if (point > 21 || point < -6) return scientific(kept, point - 1);
  if (point >= end) return kept + '0'.repeat(point - end);
  return point > 0 ? `${kept.slice(0, point)}.${kept.slice(point)}` : `0.${'0'.repeat(-point)}${kept}`;
}

/** `d.ddd` × 10^exponent. */
function scientific(digits: string, exponent: number): string {
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${digits[0]}${fraction}e${exponent}`;
}
