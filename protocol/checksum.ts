/**
 * Checksums, all over `bytes[from..to)` and all returning an unsigned number of their width.
 *
 * CRCs follow the Rocksoft parameters (Ross Williams, "A painless guide to CRC error detection algorithms", 1993):
 *
 * ```
 *   register = init ─→ for each byte (bits reversed when refin): shift by poly ─→ (reversed when refout) ─→ xor xorout
 * ```
 *
 * A reflected CRC keeps its register reversed the whole time, so that no bit is turned around on the way.
 */

/** A checksum over `bytes[from..to)` (the whole when left out). */
export type Checksum = (bytes: Uint8Array, from?: number, to?: number) => number;

/** Rocksoft parameters of a CRC. `poly` without its highest bit, not reversed. */
export interface CrcParameters {
  readonly width: 8 | 16 | 32;
  readonly poly: number;
  readonly init: number;
  readonly refin: boolean;
  readonly refout: boolean;
  readonly xorout: number;
}

/** An entry of the catalogue: parameters and the CRC of `123456789`. */
export interface CatalogueCrc extends CrcParameters {
  readonly check: number;
}

/** The CRCs of the catalogue. */
export type CrcName =
  | 'CRC-8/SMBUS'
  | 'CRC-8/MAXIM-DOW'
  | 'CRC-8/NRSC-5'
  | 'CRC-8/AUTOSAR'
  | 'CRC-8/CDMA2000'
  | 'CRC-8/DVB-S2'
  | 'CRC-8/I-432-1'
  | 'CRC-8/ROHC'
  | 'CRC-8/SAE-J1850'
  | 'CRC-16/ARC'
  | 'CRC-16/MODBUS'
  | 'CRC-16/USB'
  | 'CRC-16/UMTS'
  | 'CRC-16/MAXIM-DOW'
  | 'CRC-16/IBM-3740'
  | 'CRC-16/XMODEM'
  | 'CRC-16/KERMIT'
  | 'CRC-16/IBM-SDLC'
  | 'CRC-16/MCRF4XX'
  | 'CRC-16/GENIBUS'
  | 'CRC-16/DNP'
  | 'CRC-16/EN-13757'
  | 'CRC-32/ISO-HDLC'
  | 'CRC-32/ISCSI'
  | 'CRC-32/BZIP2'
  | 'CRC-32/MPEG-2'
  | 'CRC-32/CKSUM'
  | 'CRC-32/JAMCRC';

/**
 * CRCs by the names of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io/crc-catalogue), with
 * `check`, the CRC of the ASCII digits 123456789.
 */
export const CRC_CATALOGUE: Readonly<Record<CrcName, CatalogueCrc>> = {
  'CRC-8/SMBUS': crc8(0x07, 0x00, false, 0x00, 0xf4),
  'CRC-8/MAXIM-DOW': crc8(0x31, 0x00, true, 0x00, 0xa1),
  /** Sensirion's sensors use this one. */
  'CRC-8/NRSC-5': crc8(0x31, 0xff, false, 0x00, 0xf7),
  'CRC-8/AUTOSAR': crc8(0x2f, 0xff, false, 0xff, 0xdf),
  'CRC-8/CDMA2000': crc8(0x9b, 0xff, false, 0x00, 0xda),
  'CRC-8/DVB-S2': crc8(0xd5, 0x00, false, 0x00, 0xbc),
  'CRC-8/I-432-1': crc8(0x07, 0x00, false, 0x55, 0xa1),
  'CRC-8/ROHC': crc8(0x07, 0xff, true, 0x00, 0xd0),
  'CRC-8/SAE-J1850': crc8(0x1d, 0xff, false, 0xff, 0x4b),
  'CRC-16/ARC': crc16(0x8005, 0x0000, true, 0x0000, 0xbb3d),
  'CRC-16/MODBUS': crc16(0x8005, 0xffff, true, 0x0000, 0x4b37),
  'CRC-16/USB': crc16(0x8005, 0xffff, true, 0xffff, 0xb4c8),
  'CRC-16/UMTS': crc16(0x8005, 0x0000, false, 0x0000, 0xfee8),
  'CRC-16/MAXIM-DOW': crc16(0x8005, 0x0000, true, 0xffff, 0x44c2),
  /** Often called CCITT-FALSE. */
  'CRC-16/IBM-3740': crc16(0x1021, 0xffff, false, 0x0000, 0x29b1),
  'CRC-16/XMODEM': crc16(0x1021, 0x0000, false, 0x0000, 0x31c3),
  'CRC-16/KERMIT': crc16(0x1021, 0x0000, true, 0x0000, 0x2189),
  /** X-25, the FCS-16 of HDLC and PPP (RFC 1662). */
  'CRC-16/IBM-SDLC': crc16(0x1021, 0xffff, true, 0xffff, 0x906e),
  'CRC-16/MCRF4XX': crc16(0x1021, 0xffff, true, 0x0000, 0x6f91),
  'CRC-16/GENIBUS': crc16(0x1021, 0xffff, false, 0xffff, 0xd64e),
  'CRC-16/DNP': crc16(0x3d65, 0x0000, true, 0xffff, 0xea82),
  'CRC-16/EN-13757': crc16(0x3d65, 0x0000, false, 0xffff, 0xc2b7),
  /** The CRC of Ethernet, zip and of our link frames. */
  'CRC-32/ISO-HDLC': crc32Of(0x04c11db7, 0xffffffff, true, 0xffffffff, 0xcbf43926),
  /** CRC-32C, Castagnoli. */
  'CRC-32/ISCSI': crc32Of(0x1edc6f41, 0xffffffff, true, 0xffffffff, 0xe3069283),
  'CRC-32/BZIP2': crc32Of(0x04c11db7, 0xffffffff, false, 0xffffffff, 0xfc891918),
  'CRC-32/MPEG-2': crc32Of(0x04c11db7, 0xffffffff, false, 0x00000000, 0x0376e6e7),
  'CRC-32/CKSUM': crc32Of(0x04c11db7, 0x00000000, false, 0xffffffff, 0x765e7680),
  'CRC-32/JAMCRC': crc32Of(0x04c11db7, 0xffffffff, true, 0x00000000, 0x340bc6d9),
};

function crc8(poly: number, init: number, reflected: boolean, xorout: number, check: number): CatalogueCrc {
  return { width: 8, poly, init, refin: reflected, refout: reflected, xorout, check };
}

function crc16(poly: number, init: number, reflected: boolean, xorout: number, check: number): CatalogueCrc {
  return { width: 16, poly, init, refin: reflected, refout: reflected, xorout, check };
}

function crc32Of(poly: number, init: number, reflected: boolean, xorout: number, check: number): CatalogueCrc {
  return { width: 32, poly, init, refin: reflected, refout: reflected, xorout, check };
}

/** Builds the CRC of these parameters. Makes a table of 256 entries: build once, use often. */
export function makeCrc(parameters: CrcParameters): Checksum {
  const { width, poly, init, refin, refout, xorout } = parameters;
  const mask = width === 32 ? 0xffffffff : (1 << width) - 1;
  for (const value of [poly, init, xorout]) {
    if (!(Number.isInteger(value) && value >= 0 && value <= mask >>> 0)) {
      throw new RangeError(`${value} does not fit a CRC of ${width} bits`);
    }
  }
  const table = crcTable(width, poly, refin);
  const start = refin ? reverseBits(init, width) : init;
  const turn = refin !== refout;
  if (refin) {
    return (bytes, from = 0, to = bytes.length) => {
      let crc = start | 0;
      for (let i = from; i < to; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
      return ((turn ? reverseBits(crc, width) : crc) ^ xorout) >>> 0;
    };
  }
  const top = width - 8;
  return (bytes, from = 0, to = bytes.length) => {
    let crc = start | 0;
    for (let i = from; i < to; i++) crc = (table[((crc >>> top) ^ bytes[i]!) & 0xff]! ^ (crc << 8)) & mask;
    return ((turn ? reverseBits(crc & mask, width) : crc) ^ xorout) >>> 0;
  };
}

/** Builds a CRC of the catalogue by name. */
export function makeNamedCrc(name: CrcName): Checksum {
  return makeCrc(CRC_CATALOGUE[name]);
}

function crcTable(width: number, poly: number, reflected: boolean): Int32Array {
  const table = new Int32Array(256);
  const top = 2 ** (width - 1);
  const mask = width === 32 ? -1 : (1 << width) - 1;
  const reversed = reverseBits(poly, width);
  for (let byte = 0; byte < 256; byte++) {
    let crc = reflected ? byte : byte << (width - 8);
    for (let bit = 0; bit < 8; bit++) {
      if (reflected) crc = crc & 1 ? (crc >>> 1) ^ reversed : crc >>> 1;
      else crc = crc & top ? ((crc << 1) ^ poly) & mask : (crc << 1) & mask;
    }
    table[byte] = crc;
  }
  return table;
}

function reverseBits(value: number, width: number): number {
  let reversed = 0;
  for (let bit = 0; bit < width; bit++) {
    if ((value >>> bit) & 1) reversed |= 1 << (width - 1 - bit);
  }
  return reversed >>> 0;
}

// Slicing by 8: table k holds the CRC of a byte followed by k zeros, so eight bytes are folded in at once. Half the time
// of one table, also for a frame of 32 bytes.
const SLICES = crcSlices(crcTable(32, 0x04c11db7, true));

function crcSlices(first: Int32Array): readonly [Int32Array, ...Int32Array[]] {
  const slices: [Int32Array, ...Int32Array[]] = [first];
  for (let last = first; slices.length < 8; ) {
    last = last.map((crc) => first[crc & 0xff]! ^ (crc >>> 8));
    slices.push(last);
  }
  return slices;
}

const S0 = SLICES[0];
const S1 = SLICES[1]!;
const S2 = SLICES[2]!;
const S3 = SLICES[3]!;
const S4 = SLICES[4]!;
const S5 = SLICES[5]!;
const S6 = SLICES[6]!;
const S7 = SLICES[7]!;

/** CRC-32/ISO-HDLC, the checksum of every link frame. */
export function crc32(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let crc = -1;
  let i = from;
  for (const last = to - 8; i <= last; i += 8) {
    crc =
      S7[(crc ^ bytes[i]!) & 0xff]! ^
      S6[((crc >>> 8) ^ bytes[i + 1]!) & 0xff]! ^
      S5[((crc >>> 16) ^ bytes[i + 2]!) & 0xff]! ^
      S4[(crc >>> 24) ^ bytes[i + 3]!]! ^
      S3[bytes[i + 4]!]! ^
      S2[bytes[i + 5]!]! ^
      S1[bytes[i + 6]!]! ^
      S0[bytes[i + 7]!]!;
  }
  for (; i < to; i++) crc = S0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Sum of the bytes modulo 2^8. */
export function sum8(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  return sum32(bytes, from, to) & 0xff;
}

/** Sum of the bytes modulo 2^16. */
export function sum16(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  return sum32(bytes, from, to) & 0xffff;
}

/** Sum of the bytes modulo 2^24. */
export function sum24(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  return sum32(bytes, from, to) & 0xffffff;
}

/** Sum of the bytes modulo 2^32. */
export function sum32(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum = (sum + bytes[i]!) | 0;
  return sum >>> 0;
}

/** The one's complement of a sum: all `width` bits turned over. */
export function onesComplement(sum: number, width: 8 | 16 | 24 | 32): number {
  return (~sum & widthMask(width)) >>> 0;
}

/** The two's complement of a sum: what makes it 0 modulo 2^`width` when added. */
export function twosComplement(sum: number, width: 8 | 16 | 24 | 32): number {
  return (-sum & widthMask(width)) >>> 0;
}

function widthMask(width: number): number {
  return width === 32 ? -1 : (1 << width) - 1;
}

/** All bytes XORed. */
export function xor8(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let xor = 0;
  for (let i = from; i < to; i++) xor ^= bytes[i]!;
  return xor;
}

/** Longitudinal redundancy check as Modbus ASCII has it: the two's complement of the 8-bit sum. */
export function lrc8(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  return twosComplement(sum8(bytes, from, to), 8);
}

/** Fletcher-16: two sums modulo 255, the second one in the high byte. */
export function fletcher16(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let low = 0;
  let high = 0;
  for (let i = from; i < to; i++) {
    low = (low + bytes[i]!) % 255;
    high = (high + low) % 255;
  }
  return (high << 8) | low;
}

/** Fletcher-32 over 16-bit little-endian words, an odd last byte padded with 0: two sums modulo 65,535. */
export function fletcher32(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let low = 0;
  let high = 0;
  for (let i = from; i < to; i += 2) {
    const word = bytes[i]! | (i + 1 < to ? bytes[i + 1]! << 8 : 0);
    low = (low + word) % 65_535;
    high = (high + low) % 65_535;
  }
  return ((high << 16) | low) >>> 0;
}

/** The 8-bit Fletcher sums of u-blox and others: as Fletcher-16, but modulo 256; the second sum in the high byte. */
export function fletcher8Mod256(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let low = 0;
  let high = 0;
  for (let i = from; i < to; i++) {
    low = (low + bytes[i]!) & 0xff;
    high = (high + low) & 0xff;
  }
  return (high << 8) | low;
}

/** Adler-32 (RFC 1950, section 8.2). */
export function adler32(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let low = 1;
  let high = 0;
  for (let i = from; i < to; i++) {
    low = (low + bytes[i]!) % 65_521;
    high = (high + low) % 65_521;
  }
  return ((high << 16) | low) >>> 0;
}
