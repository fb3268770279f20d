import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigintText, doubleText, floatText, integerText } from '../../../gateway/mqtt/number-text.ts';

/** Decimal text → the exact fraction numerator × 10^exponent, in lowest terms of ten. */
function exact(text: string): [bigint, number] {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(text)!;
  return lowest(BigInt(`${sign}${whole}${fraction}`), Number(exponent) - fraction.length);
}

function lowest(numerator: bigint, exponent: number): [bigint, number] {
  if (numerator === 0n) return [0n, 0];
  let [n, e] = [numerator, exponent];
  while (n % 10n === 0n) {
    n /= 10n;
    e++;
  }
  return [n, e];
}

const scale = fc.integer({ min: -128, max: 127 });
const usualScale = fc.integer({ min: -6, max: 3 });

describe('numbers as JSON text', () => {
  it.each([
    [integerText(213, -1), '21.3'],
    [integerText(-5, -2), '-0.05'],
    [integerText(2130, -2), '21.3'],
    [integerText(100, -2), '1'],
    [integerText(3, 2), '300'],
    [integerText(-0, -1), '0'],
    [integerText(1, -9), '1e-9'],
    [integerText(7, 100), '7e100'],
    [bigintText(18446744073709551615n, 0), '18446744073709551615'],
    [bigintText(18446744073709551615n, -3), '18446744073709551.615'],
    [bigintText(-9223372036854775808n, -20), '-0.09223372036854775808'],
    [floatText(Math.fround(21.3), 0), '21.3'],
    [floatText(Math.fround(0.1), 0), '0.1'],
    [floatText(Math.fround(-1013.25), 0), '-1013.25'],
    [floatText(16777216, 0), '16777216'],
    [floatText(Math.fround(3.4028235e38), 0), '3.4028235e38'],
    [floatText(Math.fround(1e-45), 0), '1e-45'],
    [floatText(Math.fround(21.3), -2), '0.213'],
    [floatText(Math.fround(-0), 0), '0'],
    [doubleText(0.1, 0), '0.1'],
    [doubleText(0.3, -1), '0.03'],
    [doubleText(5e-324, 0), '5e-324'],
    [doubleText(0.1, 1), '1'],
  ])('%s is %s', (text, expected) => {
    expect(text).toBe(expected);
  });

  it('scales integers exactly', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.oneof(usualScale, scale), (raw, by) => {
        const text = integerText(raw, by);
        expect(exact(text)).toEqual(lowest(BigInt(raw), by));
        JSON.parse(text);
      }),
    );
  });

  it('scales 64-bit integers exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), fc.oneof(usualScale, scale), (raw, by) => {
        const text = bigintText(raw, by);
        expect(exact(text)).toEqual(lowest(raw, by));
        JSON.parse(text);
      }),
    );
  });

  it('gives every f32 back, with no more digits than it needs', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.float({ noNaN: true, noDefaultInfinity: true }),
          fc.integer({ min: -99999, max: 99999 }).map((n) => Math.fround(n / 100)),
        ),
        (raw) => {
          const text = floatText(raw, 0);
          expect(Math.fround(JSON.parse(text) as number)).toBe(raw === 0 ? 0 : raw);
          const digits = text.replace(/e.*$/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '').length;
          if (digits > 1) expect(Math.fround(Number(raw.toExponential(digits - 2)))).not.toBe(raw);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('gives every f64 back', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (raw) => {
        expect(JSON.parse(doubleText(raw, 0))).toBe(raw === 0 ? 0 : raw);
      }),
    );
  });

  it('scales floats on their digits', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), usualScale, (raw, by) => {
        const [n, e] = exact(doubleText(raw, 0).replace('e+', 'e'));
        expect(exact(doubleText(raw, by))).toEqual(n === 0n ? [0n, 0] : [n, e + by]);
      }),
    );
  });
});
