/** Made-up devices of several shapes: frames whose makers know what is in them. */
import { Random } from '../../../device-sim/random.ts';
import { makeNamedCrc, sum16, sum8, xor8, hdlcEncoder, slipEncoder, cobsEncoder } from '../../../protocol/index.ts';

export interface Shape {
  readonly name: string;
  /** What each frame looks like on the wire, in order. */
  readonly frames: readonly Uint8Array[];
}

/** A value that moves a little from frame to frame. */
export function walk(random: Random, start: number, step: number, least = 0, most = 65_535): () => number {
  let value = start;
  return () => {
    value = Math.min(most, Math.max(least, value + Math.round(random.between(-step, step))));
    return value;
  };
}

export function u16(value: number): number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

export function u16le(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff];
}

export function frames(count: number, make: (index: number) => Uint8Array | readonly number[]): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => Uint8Array.from(make(index)));
}

/** Sync AA 55, a length that counts what follows it, two measurements, sum16. */
export function withLength(seed: number, count = 40): Shape {
  const random = new Random(seed);
  const temperature = walk(random, 2_150, 6);
  const pressure = walk(random, 10_130, 9);
  const kinds = [0x01, 0x02];
  return {
    name: 'length and sum16',
    frames: frames(count, (index) => {
      const kind = kinds[index % 2] ?? 0;
      const data = kind === 1 ? [...u16(temperature()), ...u16(pressure())] : [random.int(4) * 40 + 3];
      const head = [0xaa, 0x55, data.length + 3, kind, ...data];
      return [...head, ...u16(sum16(Uint8Array.from(head)))];
    }),
  };
}

/** One length, XOR over all but the sync, and a tail. */
export function fixedWithTail(seed: number, count = 30): Shape {
  const random = new Random(seed);
  const level = walk(random, 900, 5);
  return {
    name: 'fixed, xor8, tail',
    frames: frames(count, (index) => {
      const body = [0x10, ...u16le(level()), index & 0xff, 0x00];
      return [0xc5, ...body, xor8(Uint8Array.from(body)), 0xd6];
    }),
  };
}

/** Answers of a Modbus RTU device: no sync at all. */
export function modbus(seed: number, count = 30): Shape {
  const random = new Random(seed);
  const crc = makeNamedCrc('CRC-16/MODBUS');
  const volts = walk(random, 2_301, 8);
  return {
    name: 'modbus answers',
    frames: frames(count, () => {
      const head = [0x07, 0x04, 0x04, ...u16(volts()), ...u16(random.int(30))];
      return [...head, ...u16le(crc(Uint8Array.from(head)))];
    }),
  };
}

/** HDLC flags and escapes, one's complement of the sum of what is between them. */
export function escaped(seed: number, name: 'hdlc' | 'slip' | 'cobs' = 'hdlc', count = 30): Shape {
  const random = new Random(seed);
  const encode = { hdlc: hdlcEncoder, slip: slipEncoder, cobs: cobsEncoder }[name]({ maxBytes: 100 });
  const mass = walk(random, 30_000, 300);
  return {
    name,
    frames: frames(count, () => {
      const body = [0x00, 0x03, ...u16(mass()), ...u16(random.int(65_536))];
      return encode(Uint8Array.from([...body, ~sum8(Uint8Array.from(body)) & 0xff]));
    }),
  };
}

/** NMEA-like lines of two kinds. */
export function textLines(seed: number, count = 24): Shape {
  const random = new Random(seed);
  const speed = walk(random, 120, 4);
  return {
    name: 'text with checksum',
    frames: frames(count, (index) => {
      const text = index % 2 === 0 ? `WISPD,${speed() / 10},N` : `WIDIR,${random.int(360)},T,A`;
      const check = xor8(Buffer.from(text)).toString(16).toUpperCase().padStart(2, '0');
      return Buffer.from(`$${text}*${check}\r\n`);
    }),
  };
}

/** All of a shape's frames one after the other, with so many bytes of noise before some of them. */
export function stream({ frames: all }: Shape, random?: Random, noise = 0): Uint8Array {
  const parts = all.flatMap((frame) => {
    if (random === undefined || noise === 0 || !random.chance(0.2)) return [frame];
    return [Uint8Array.from({ length: 1 + random.int(noise) }, () => random.int(256)), frame];
  });
  return Buffer.concat(parts);
}

export const SHAPES: readonly ((seed: number) => Shape)[] = [
  withLength,
  fixedWithTail,
  modbus,
  (seed) => escaped(seed, 'hdlc'),
  (seed) => escaped(seed, 'slip'),
  (seed) => escaped(seed, 'cobs'),
  textLines,
];
