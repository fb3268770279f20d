import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  adler32,
  CRC_CATALOGUE,
  crc32,
  fletcher16,
  fletcher32,
  fletcher8Mod256,
  lrc8,
  makeCrc,
  makeNamedCrc,
  onesComplement,
  sum16,
  sum24,
  sum32,
  sum8,
  twosComplement,
  xor8,
} from '../../protocol/index.ts';
import type { Checksum, CrcName } from '../../protocol/index.ts';
import { bytesOf } from './framing/support.ts';

interface Vector {
  readonly name: string;
  readonly algorithm: string;
  readonly hex: string;
  /** Hex of the checksum's width. */
  readonly value: string;
}

const SUMS = { 8: sum8, 16: sum16, 24: sum24, 32: sum32 } as const;
const ALGORITHMS: Record<string, Checksum> = { xor8, lrc8, fletcher16, fletcher32, fletcher8Mod256, adler32 };
for (const width of [8, 16, 24, 32] as const) {
  const sum = SUMS[width];
  ALGORITHMS[`sum${width}`] = sum;
  ALGORITHMS[`sum${width} one's complement`] = (bytes, from, to) => onesComplement(sum(bytes, from, to), width);
  ALGORITHMS[`sum${width} two's complement`] = (bytes, from, to) => twosComplement(sum(bytes, from, to), width);
}
for (const name of Object.keys(CRC_CATALOGUE)) ALGORITHMS[name] = makeNamedCrc(name as CrcName);

const vectors = JSON.parse(readFileSync(new URL('../vectors/checksum.json', import.meta.url), 'utf8')) as Vector[];
const digits = Uint8Array.from('123456789', (char) => char.charCodeAt(0));

/** The 16 bits of a value, the lowest first. */
const bitsTurned = (value: number): string => Array.from({ length: 16 }, (_, bit) => (value >> bit) & 1).join('');

describe('checksum vectors', () => {
  it.each(vectors)('$name', ({ algorithm, hex, value }) => {
    const checksum = ALGORITHMS[algorithm]!;
    const bytes = bytesOf(hex);
    expect(checksum(bytes).toString(16).padStart(value.length, '0')).toBe(value);
    // The same bytes inside junk: nothing outside of the range may count.
    const junk = new Uint8Array(bytes.length + 9).fill(0xa5);
    junk.set(bytes, 5);
    expect(checksum(junk, 5, 5 + bytes.length)).toBe(checksum(bytes));
    if (algorithm === 'CRC-32/ISO-HDLC') expect(crc32(junk, 5, 5 + bytes.length)).toBe(Number.parseInt(value, 16));
  });
});

describe('CRC catalogue', () => {
  it.each(Object.keys(CRC_CATALOGUE) as CrcName[])('%s has its published check value', (name) => {
    expect(makeNamedCrc(name)(digits)).toBe(CRC_CATALOGUE[name].check);
  });

  it('takes input and output reflected differently', () => {
    // CRC-12/UMTS is the one in the catalogue that does, but has 12 bits; turning the output of XMODEM must turn its check.
    const turned = makeCrc({ ...CRC_CATALOGUE['CRC-16/XMODEM'], refout: true });
    expect(turned(digits)).toBe(Number.parseInt(bitsTurned(0x31c3), 2));
    const back = makeCrc({ ...CRC_CATALOGUE['CRC-16/KERMIT'], refout: false });
    expect(back(digits)).toBe(Number.parseInt(bitsTurned(0x2189), 2));
  });

  it('refuses parameters wider than the CRC', () => {
    const parameters = { width: 8, poly: 0x107, init: 0, refin: false, refout: false, xorout: 0 } as const;
    expect(() => makeCrc(parameters)).toThrow(RangeError);
    expect(() => makeCrc({ ...parameters, poly: 7, init: -1 })).toThrow(RangeError);
  });

  it('agrees with the fast CRC-32 for every length up to four slices', () => {
    const slow = makeNamedCrc('CRC-32/ISO-HDLC');
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => (i * 97 + 13) & 0xff);
    for (let from = 0; from < 8; from++) {
      for (let to = from; to <= bytes.length; to++) expect(crc32(bytes, from, to)).toBe(slow(bytes, from, to));
    }
  });
});
