import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8, invalidUtf8At } from '../../protocol/index.ts';
import { bytesOf, hexOf } from './framing/support.ts';

type NumberType = 'u8' | 'i8' | 'u16' | 'i16' | 'u24' | 'i24' | 'u32' | 'i32' | 'u48' | 'i48' | 'f32' | 'f64';
type BigType = 'u64' | 'i64';

interface Vector {
  readonly name: string;
  readonly type: NumberType | BigType | 'text';
  readonly order: 'big' | 'little';
  readonly hex: string;
  /** 64-bit integers, NaN, the infinities and -0 as strings. */
  readonly value?: number | string;
  readonly error?: { readonly code: string; readonly offset: number };
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/bytes.json', import.meta.url), 'utf8')) as Vector[];

function valueOf(vector: Vector): number | bigint | string {
  if (vector.type === 'text') return String(vector.value);
  return vector.type === 'u64' || vector.type === 'i64' ? BigInt(vector.value!) : Number(vector.value);
}

function read(reader: ByteReader, { type, order, hex }: Vector): number | bigint | string {
  return type === 'text' ? reader.text(hex.length / 2) : reader[type](order === 'little');
}

function write(writer: ByteWriter, vector: Vector): void {
  const value = valueOf(vector);
  const little = vector.order === 'little';
  if (typeof value === 'string') writer.text(value);
  else if (typeof value === 'bigint') writer[vector.type as BigType](value, little);
  else writer[vector.type as NumberType](value, little);
}

describe('byte vectors', () => {
  for (const vector of vectors) {
    const bytes = bytesOf(vector.hex);
    if (vector.error !== undefined) {
      it(`refuses ${vector.name}`, () => {
        // Junk on both sides, which a missing bound would read.
        const junk = new Uint8Array(bytes.length + 20).fill(0x41);
        junk.set(bytes, 5);
        const reader = new ByteReader(junk, 5, 5 + bytes.length);
        const value = read(reader, vector);
        expect(reader.error).toEqual({ ...vector.error, offset: vector.error!.offset + 5 });
        expect([0, 0n, '']).toContain(value);
        expect(reader.remaining).toBe(0);
      });
      continue;
    }
    it(`reads ${vector.name}`, () => {
      const reader = new ByteReader(bytes);
      expect(read(reader, vector)).toEqual(valueOf(vector));
      expect(reader.expectEnd()).toBe(true);
    });
    it(`writes ${vector.name}, into a buffer of junk`, () => {
      const target = new Uint8Array(bytes.length + 9).fill(0xa5);
      const writer = new ByteWriter(target, 4, 4 + bytes.length);
      write(writer, vector);
      expect(hexOf(writer.finish())).toBe(vector.hex);
      expect(writer.remaining).toBe(0);
      expect(hexOf(target)).toBe(`a5a5a5a5${vector.hex}a5a5a5a5a5`);
    });
    if (bytes.length === 0) continue;
    it(`drops ${vector.name} whole when one byte is missing`, () => {
      const target = new Uint8Array(bytes.length).fill(0xa5);
      const writer = new ByteWriter(target, 0, bytes.length - 1);
      write(writer, vector);
      expect(writer.error).toEqual({ code: 'overflow', offset: 0, needed: bytes.length, limit: bytes.length - 1 });
      expect(hexOf(target)).toBe('a5'.repeat(bytes.length));
      expect(() => writer.finish()).toThrow(RangeError);
    });
  }
});

describe('ByteReader', () => {
  const bytes = bytesOf('0102030405060708');

  it('keeps the first error and reads nothing behind it', () => {
    const reader = new ByteReader(bytes, 0, 5);
    expect(reader.u32()).toBe(0x01020304);
    expect(reader.u16()).toBe(0);
    expect(reader.u8()).toBe(0);
    expect(reader.bytes(3)).toHaveLength(0);
    expect(reader.text(1)).toBe('');
    expect(reader.u64()).toBe(0n);
    expect(reader.ok).toBe(false);
    expect(reader.error).toEqual({ code: 'short-read', offset: 4, needed: 2, available: 1 });
  });

  it('is as new after a reset', () => {
    const reader = new ByteReader(bytes, 7);
    reader.u16();
    reader.reset(bytes, 1, 3);
    expect([reader.ok, reader.offset, reader.remaining]).toEqual([true, 1, 2]);
    expect(reader.u16()).toBe(0x0203);
  });

  it('bounds a sub-reader by its length and takes over its error', () => {
    const reader = new ByteReader(bytes);
    reader.skip(1);
    const sub = reader.sub(2);
    const inner = sub.sub(1);
    expect(reader.offset).toBe(3);
    expect(inner.u16()).toBe(0);
    expect(reader.error).toEqual({ code: 'short-read', offset: 1, needed: 2, available: 1 });
    expect(sub.error).toEqual(reader.error);
    expect(reader.u8()).toBe(0);
  });

  it('gives a failed sub-reader when the length is not there', () => {
    const reader = new ByteReader(bytes);
    const sub = reader.sub(9, new ByteReader(bytes));
    expect(sub.ok).toBe(false);
    expect(sub.remaining).toBe(0);
    expect(reader.error).toEqual({ code: 'short-read', offset: 0, needed: 9, available: 8 });
  });

  it('reports bytes left over', () => {
    const reader = new ByteReader(bytes, 0, 3);
    reader.u8();
    expect(reader.expectEnd()).toBe(false);
    expect(reader.error).toEqual({ code: 'trailing-bytes', offset: 1, available: 2 });
  });

  it('gives views as plain Uint8Array, also over a Buffer', () => {
    const reader = new ByteReader(Buffer.from('0102030405', 'hex').subarray(1));
    const view = reader.bytes(2);
    expect(Object.getPrototypeOf(view)).toBe(Uint8Array.prototype);
    expect(hexOf(view)).toBe('0203');
    expect(hexOf(reader.rest())).toBe('0405');
  });

  it('refuses bounds and lengths that only a mistake can produce', () => {
    expect(() => new ByteReader(bytes, 0, 9)).toThrow(RangeError);
    expect(() => new ByteReader(bytes, -1)).toThrow(RangeError);
    expect(() => new ByteReader(bytes, 5, 4)).toThrow(RangeError);
    expect(() => new ByteReader(bytes).bytes(-1)).toThrow(RangeError);
    expect(() => new ByteReader(bytes).bytes(Number.NaN)).toThrow(RangeError);
    expect(() => new ByteReader(bytes).skip(1.5)).toThrow(RangeError);
  });
});

describe('ByteWriter', () => {
  it.each([
    ['u8', 256],
    ['u8', -1],
    ['u8', 1.5],
    ['u8', Number.NaN],
    ['i8', 128],
    ['i8', -129],
    ['u16', 65_536],
    ['i16', 32_768],
    ['u24', 2 ** 24],
    ['i24', -(2 ** 23) - 1],
    ['u32', 2 ** 32],
    ['u32', -1],
    ['i32', 2 ** 31],
    ['u48', 2 ** 48],
    ['u48', 0.5],
    ['i48', 2 ** 47],
    ['i48', -(2 ** 47) - 1],
    ['f32', 1e39],
  ] as const)('refuses %s %d', (type, value) => {
    expect(() => new ByteWriter(16)[type](value)).toThrow(RangeError);
  });

  it('refuses 64-bit values out of range and half a surrogate pair', () => {
    expect(() => new ByteWriter(16).u64(-1n)).toThrow(RangeError);
    expect(() => new ByteWriter(16).u64(2n ** 64n)).toThrow(RangeError);
    expect(() => new ByteWriter(16).i64(2n ** 63n)).toThrow(RangeError);
    for (const text of ['a\ud800', '\udc00', '\ud800\ud800', '\ud83dx']) {
      expect(() => new ByteWriter(16).text(text)).toThrow(RangeError);
    }
  });

  it('grows up to its limit and no further', () => {
    const writer = new ByteWriter(1_000);
    for (let i = 0; i < 250; i++) writer.u32(i);
    expect(writer.ok).toBe(true);
    expect(writer.remaining).toBe(0);
    writer.u8(0);
    expect(writer.error).toEqual({ code: 'overflow', offset: 1_000, needed: 1, limit: 1_000 });
  });

  it('rewinds to where all was well', () => {
    const writer = new ByteWriter(4);
    writer.u16(0x0102);
    const mark = writer.offset;
    writer.u8(3);
    writer.u32(4);
    expect(writer.ok).toBe(false);
    writer.u8(9);
    writer.rewind(mark);
    writer.u16(0x0506);
    expect(hexOf(writer.finish())).toBe('01020506');
    expect(() => writer.rewind(5)).toThrow(RangeError);
  });

  it('starts over after a reset', () => {
    const writer = new ByteWriter(new Uint8Array(8), 2, 4);
    writer.u32(1);
    writer.reset();
    writer.fill(7, 2);
    expect(hexOf(writer.finish())).toBe('0707');
  });
});

describe('UTF-8', () => {
  it('agrees with the platform on every code point', () => {
    for (let code = 0; code <= 0x10ffff; code += code < 0x3000 || (code > 0xd700 && code < 0xe100) ? 1 : 37) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const text = String.fromCodePoint(code);
      const bytes = encodeUtf8(text);
      if (Buffer.compare(bytes, Buffer.from(text)) !== 0) expect(hexOf(bytes)).toBe(Buffer.from(text).toString('hex'));
      if (decodeUtf8(bytes) !== text) expect(decodeUtf8(bytes)).toBe(text);
    }
  });

  it('agrees with the platform on what is valid, for all sequences at the edges', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const leads = [
      0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
      0xff,
    ];
    const others = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    const bytes = new Uint8Array(4);
    for (const a of leads) {
      for (const b of others) {
        for (const c of others) {
          for (const d of others) {
            bytes.set([a, b, c, d]);
            let valid = true;
            try {
              strict.decode(bytes);
            } catch {
              valid = false;
            }
            if (invalidUtf8At(bytes, 0, 4) < 0 !== valid) expect([hexOf(bytes), !valid]).toEqual([hexOf(bytes), valid]);
          }
        }
      }
    }
  });
});
