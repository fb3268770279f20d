import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from '../../protocol/index.ts';

const integer = (bits: number, signed: boolean): fc.Arbitrary<number> =>
  signed
    ? fc.maxSafeInteger().map((n) => Number(BigInt.asIntN(bits, BigInt(n))))
    : fc.maxSafeInteger().map((n) => Number(BigInt.asUintN(bits, BigInt(n))));

const NUMBERS = {
  u8: integer(8, false),
  i8: integer(8, true),
  u16: integer(16, false),
  i16: integer(16, true),
  u24: integer(24, false),
  i24: integer(24, true),
  u32: integer(32, false),
  i32: integer(32, true),
  u48: integer(48, false),
  i48: integer(48, true),
  f32: fc.float(),
  f64: fc.double(),
} as const;
const BIGS = { u64: fc.bigInt(0n, 2n ** 64n - 1n), i64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) } as const;
const WIDTHS = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u24: 3,
  i24: 3,
  u32: 4,
  i32: 4,
  u48: 6,
  i48: 6,
  f32: 4,
  f64: 8,
  u64: 8,
  i64: 8,
};

type Field =
  | { type: keyof typeof NUMBERS; value: number; little: boolean }
  | { type: keyof typeof BIGS; value: bigint; little: boolean };

const field: fc.Arbitrary<Field> = fc.oneof(
  fc
    .constantFrom(...(Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]))
    .chain((type) => fc.record({ type: fc.constant(type), value: NUMBERS[type], little: fc.boolean() })),
  fc
    .constantFrom(...(Object.keys(BIGS) as (keyof typeof BIGS)[]))
    .chain((type) => fc.record({ type: fc.constant(type), value: BIGS[type], little: fc.boolean() })),
);

function put(writer: ByteWriter, { type, value, little }: Field): void {
  if (typeof value === 'bigint') writer[type as keyof typeof BIGS](value, little);
  else writer[type as keyof typeof NUMBERS](value, little);
}

describe('bytes', () => {
  it('reads what was written', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
        const writer = new ByteWriter();
        for (const one of fields) put(writer, one);
        const reader = new ByteReader(writer.finish());
        for (const { type, value, little } of fields) expect(reader[type](little)).toEqual(value);
        expect(reader.expectEnd()).toBe(true);
      }),
    );
  });

  it('a cut message fails at the field that is cut, and never throws', () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 20 }), fc.nat(), (fields, at) => {
        const writer = new ByteWriter();
        for (const one of fields) put(writer, one);
        const whole = writer.finish();
        const end = at % whole.length;
        const reader = new ByteReader(whole, 0, end);
        let offset = 0;
        let failed: number | undefined;
        for (const { type, little } of fields) {
          reader[type](little);
          if (failed === undefined && offset + WIDTHS[type] > end) failed = offset;
          offset += WIDTHS[type];
        }
        expect(reader.error).toMatchObject({ code: 'short-read', offset: failed, available: end - failed! });
      }),
    );
  });

  it('agrees with the platform on UTF-8', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = encodeUtf8(text);
        expect(Buffer.compare(bytes, Buffer.from(text))).toBe(0);
        expect(decodeUtf8(bytes)).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        let expected: string | undefined;
        try {
          expected = strict.decode(bytes);
        } catch {
          expected = undefined;
        }
        expect(decodeUtf8(bytes)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
