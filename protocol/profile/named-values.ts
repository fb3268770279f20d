/**
 * Numbers that stand for words: `names` (one of a few) and `flags` (any of a few).
 *
 * ```
 *   names { 0: off, 1: on, other: unknown }      01 → "on", 07 → "unknown"
 *   flags [fault, low, high]                     05 → "fault, high", 00 → ""
 * ```
 */
import { noneTest, noneWriter } from './raw-values.ts';
import type { Codec, CodecContext, GivenValue, RawNumber } from './codec.ts';
import { utf8Length } from '../utf8.ts';
import { parseNumber } from './schema-leaves.ts';
import { MAX_TEXT_BYTES } from './text-value.ts';

/** The codec of a number that is shown as one of a few words. */
export function namesCodec(
  raw: RawNumber,
  names: Readonly<Record<string, string>>,
  none: readonly number[],
  { problems, path }: CodecContext,
): Codec | undefined {
  const byRaw = new Map<number, string>();
  const byName = new Map<string, number>();
  let other: string | undefined;
  for (const [key, name] of Object.entries(names)) {
    if (key === 'other') {
      other = name;
      continue;
    }
    const value = parseNumber(key);
    if (value === undefined || !Number.isInteger(value) || value < raw.min || value > raw.max) {
      problems.add([...path, 'names', key], `must be a whole number from ${raw.min} to ${raw.max}, or other`, true);
      continue;
    }
    byRaw.set(value, name);
    if (!byName.has(name)) byName.set(name, value);
  }
  const isNone = noneTest(none);
  // For the simulator: the first number that has no name stands for all of them.
  let unnamed = Math.max(0, raw.min);
  while (byRaw.has(unnamed) || none.includes(unnamed)) unnamed++;
  if (other !== undefined && !byName.has(other) && unnamed <= raw.max) byName.set(other, unnamed);
  const toRaw = (value: GivenValue): number => {
    const known = byName.get(String(value));
    if (known !== undefined) return known;
    const number = typeof value === 'string' ? Number(value === '' ? Number.NaN : value) : Number(value);
    if (Number.isInteger(number) && number >= raw.min && number <= raw.max) return number;
    throw new RangeError(`${String(value).slice(0, 40)} is none of ${[...byName.keys()].join(', ')}`);
  };
  return {
    ...wordBase(raw, none),
    kind: 'option',
    read: (data, from, to) => {
      const value = raw.read(data, from, to);
      return isNone(value) ? undefined : (byRaw.get(value) ?? other ?? String(value));
    },
    sizeOf: (value) => raw.sizeOf(toRaw(value)),
    write: (data, from, to, value) => raw.write(data, from, to, toRaw(value)),
    options: [...byName.keys()],
    step: undefined,
    limits: undefined,
  };
}

/** Bit numbers and names of `flags`, in order of the bits. */
export function flagBits(
  flags: readonly string[] | Readonly<Record<string, string>>,
  max: number,
  { problems, path }: CodecContext,
): [number, string][] {
  const bits: [number, string][] = [];
  const width = Math.ceil(Math.log2(max + 1));
  for (const [key, name] of Object.entries(flags)) {
    const bit = parseNumber(key);
    if (bit === undefined || !Number.isInteger(bit) || bit < 0 || bit >= width) {
      problems.add(
        [...path, 'flags', Array.isArray(flags) ? Number(key) : key],
        `must be one of the bits 0 to ${width - 1}`,
        true,
      );
      continue;
    }
    // A dash or an empty name keeps the place of a bit that means nothing.
    if (name !== '-') bits.push([bit, name]);
  }
  return bits.toSorted(([a], [b]) => a - b);
}

/** The codec of a number whose bits are shown as words. */
export function flagsCodec(
  raw: RawNumber,
  flags: readonly string[] | Readonly<Record<string, string>>,
  none: readonly number[],
  context: CodecContext,
): Codec | undefined {
  // Digits may have a sign or decimals; flags written so have none.
  if ((raw.float || raw.min < 0) && !raw.partial) {
    context.problems.add([...context.path, 'flags'], 'needs an unsigned type, such as u16');
    return undefined;
  }
  const bits = flagBits(flags, raw.max, context);
  const masks = bits.map(([bit, name]) => [1n << BigInt(bit), name] as const);
  const isNone = noneTest(none);
  // Faults seldom change: the text of the last number is at hand.
  let lastRaw = 0;
  let lastText = '';
  const toRaw = (value: GivenValue): bigint => {
    const words = String(value)
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
    let result = 0n;
    for (const word of words) {
      const mask = masks.find(([, name]) => name === word)?.[0];
      if (mask === undefined) throw new RangeError(`${word.slice(0, 40)} is none of the flags`);
      result |= mask;
    }
    return result;
  };
  return {
    ...wordBase(raw, none),
    kind: 'flags',
    read: (data, from, to) => {
      const number = raw.read(data, from, to);
      if (isNone(number)) return undefined;
      // Of 64 bits a number does not keep all.
      if (number !== lastRaw || raw.big) {
        lastRaw = number;
        const value = raw.readBig(data, from, to);
        lastText = joined(masks.filter(([mask]) => (value & mask) !== 0n).map(([, name]) => name));
      }
      return lastText;
    },
    sizeOf: (value) => raw.sizeOf(Number(toRaw(value))),
    write: (data, from, to, value) => raw.write(data, from, to, toRaw(value)),
    options: masks.map(([, name]) => name),
    step: undefined,
    limits: undefined,
  };
}

/** A text value has 255 bytes at most; words that do not fit are left out, and … says so. */
function joined(words: readonly string[]): string {
  const text = words.join(', ');
  if (utf8Length(text) <= MAX_TEXT_BYTES) return text;
  let fits = '';
  for (const word of words) {
    const more = fits === '' ? word : `${fits}, ${word}`;
    if (utf8Length(more) > MAX_TEXT_BYTES - 5) break;
    fits = more;
  }
  return `${fits}, …`;
}

function wordBase(
  raw: RawNumber,
  none: readonly number[],
): Omit<Codec, 'kind' | 'read' | 'sizeOf' | 'write' | 'options' | 'step' | 'limits'> {
  const isNone = noneTest(none);
  return {
    type: 'string',
    scale: 0,
    fixedSize: raw.size,
    number: (data, from, to) => {
      const value = raw.read(data, from, to);
      return isNone(value) ? Number.NaN : value;
    },
    raw: (data, from, to) => String(raw.read(data, from, to)),
    writeNone: noneWriter(raw, none),
    maxBytes: undefined,
    text: undefined,
  };
}
