/**
 * The checksum rules of a profile: which bytes are summed up, and where and how the result stands.
 *
 * ```
 *   | dd 03 | 00 02 11 22 | ff cb | 77 |      sum16, complement twos, from 2 to −3, at −3
 *           └ from … to ──┘ └ at, size
 *   | $GPGGA,…,M,,*5B␍␊                       xor8, from 1 to −5, at −4, size 2, encoding HEX
 *   | ␍␊V⇥12065 … Checksum⇥q                  sum8, zero: the sum over all of it, q included, is 0
 * ```
 */
import { adler32, CRC_CATALOGUE, fletcher16, fletcher32, fletcher8Mod256, makeCrc, sum32, xor8 } from '../checksum.ts';
import type { Checksum, CrcName } from '../checksum.ts';
import { suggest } from '../suggest.ts';
import { integerFormat } from './numbers.ts';
import type { Path, Problems } from './problems.ts';
import type { FailedChecksum } from './profile.ts';
import type { ChecksumSpec, Order } from './spec.ts';
import { hexDigit } from './text-value.ts';

/** One rule, ready to be applied to whole frames. */
export interface Check {
  /** Bytes that it takes from the end of the frame on; 0 when it stands elsewhere. */
  readonly trailer: number;
  /** Its place, for explanations; −1 before a frame of this length is too short. */
  readonly placeIn: (length: number) => { readonly at: number; readonly size: number };
  readonly holds: (frame: Uint8Array) => boolean;
  /** What is computed and what stands there, as hex digits; undefined when it holds. */
  readonly failure: (frame: Uint8Array) => FailedChecksum | undefined;
  /** Puts it in; nothing when the frame is too short. `at` overrides the place (templates). */
  readonly put: (frame: Uint8Array, at?: number) => void;
  readonly size: number;
}

const SUM_WIDTHS = {
  sum8: 8,
  sum16: 16,
  sum24: 24,
  sum32: 32,
  sum16le: 16,
  sum16be: 16,
  xor8: 8,
  lrc: 8,
  fletcher8: 16,
  fletcher16: 16,
  fletcher32: 32,
  adler32: 32,
} as const;

/** Compiles the rules that frames must all fulfil. */
export function compileChecks(specs: readonly ChecksumSpec[], order: Order, path: Path, problems: Problems): Check[] {
  const checks: Check[] = [];
  for (const [i, spec] of specs.entries()) {
    const check = compileCheck(spec, order, specs.length === 1 ? path : [...path, i], problems);
    if (check !== undefined) checks.push(check);
  }
  return checks;
}

function compileCheck(spec: ChecksumSpec, order: Order, path: Path, problems: Problems): Check | undefined {
  if (spec.type === 'none') return undefined;
  const sum = sumOf(spec, path, problems);
  if (sum === undefined) return undefined;
  const { compute, width } = sum;
  if (spec.zero) return zeroCheck(spec, compute, path, problems);
  const { at } = spec;
  if (at === undefined) {
    problems.add(path, 'needs at: where the checksum stands (negative from the end)');
    return undefined;
  }
  const digits = spec.encoding !== 'binary';
  const size = spec.size ?? (digits ? width / 4 : width / 8);
  const kept = (digits ? 4 : 8) * size;
  const mask = kept >= width ? undefined : 2 ** kept;
  const to = spec.to ?? at;
  if (at < 0 && -at < size) problems.add([...path, 'at'], `must be −${size} or less: the checksum has ${size} bytes`);
  const format = digits || size > 6 ? undefined : integerFormat(`u${8 * size}` as 'u8', spec.order ?? order);
  if (!digits && format === undefined) {
    problems.add([...path, 'size'], 'must be 1 to 6 bytes');
    return undefined;
  }
  const upper = spec.encoding === 'HEX';

  /** NaN when the range is not in the frame. */
  const computed = (frame: Uint8Array): number => {
    const { length } = frame;
    const first = spec.from < 0 ? length + spec.from : spec.from;
    const last = to < 0 ? length + to : to;
    if (first < 0 || last < first || last > length) return Number.NaN;
    const result = compute(frame, first, last);
    return mask === undefined ? result : result % mask;
  };
  const received = (frame: Uint8Array): number => {
    const place = at < 0 ? frame.length + at : at;
    if (place < 0 || place + size > frame.length) return Number.NaN;
    if (format !== undefined) return format.read(frame, place);
    let value = 0;
    for (let i = place; i < place + size; i++) {
      const digit = hexDigit(frame[i]!);
      if (digit < 0) return Number.NaN;
      value = value * 16 + digit;
    }
    return value;
  };
  return {
    trailer: at < 0 ? -at : 0,
    size,
    placeIn: (length) => ({ at: at < 0 ? length + at : at, size }),
    // NaN on either side holds for nothing.
    holds: (frame) => computed(frame) === received(frame),
    failure: (frame) => {
      const wanted = computed(frame);
      const got = received(frame);
      if (wanted === got) return undefined;
      const place = at < 0 ? frame.length + at : at;
      const width = digits ? size : 2 * size;
      return { computed: hex(wanted, width), received: hex(got, width), at: Math.max(0, place) };
    },
    put: (frame, override) => {
      const place = override ?? (at < 0 ? frame.length + at : at);
      const value = computed(frame);
      if (Number.isNaN(value) || place < 0 || place + size > frame.length) return;
      if (format !== undefined) {
        format.write(frame, place, value);
        return;
      }
      const text = value.toString(16).padStart(size, '0');
      const shown = upper ? text.toUpperCase() : text;
      for (let i = 0; i < size; i++) frame[place + i] = shown.charCodeAt(i);
    },
  };
}

function zeroCheck(spec: ChecksumSpec, compute: Checksum, path: Path, problems: Problems): Check | undefined {
  if (spec.type !== 'sum8' && spec.type !== 'xor8') {
    problems.add([...path, 'zero'], 'is for sum8 and xor8');
    return undefined;
  }
  const at = spec.at ?? (spec.to ?? 0) - 1;
  const turn = spec.type === 'sum8';
  const run = (frame: Uint8Array): number => {
    const { length } = frame;
    const first = spec.from < 0 ? length + spec.from : spec.from;
    const last = spec.to === undefined ? length : spec.to < 0 ? length + spec.to : spec.to;
    return first < 0 || last < first || last > length ? Number.NaN : compute(frame, first, last);
  };
  const placeOf = (length: number): number => (at < 0 ? length + at : at);
  return {
    trailer: at < 0 ? -at : 0,
    size: 1,
    placeIn: (length) => ({ at: placeOf(length), size: 1 }),
    holds: (frame) => run(frame) === 0,
    failure: (frame) => {
      const result = run(frame);
      if (result === 0) return undefined;
      const place = Math.max(0, placeOf(frame.length));
      const got = frame[place] ?? 0;
      const wanted = Number.isNaN(result) ? Number.NaN : turn ? (got - result) & 0xff : got ^ result;
      return { computed: hex(wanted, 2), received: hex(got, 2), at: place };
    },
    put: (frame, override) => {
      const place = override ?? placeOf(frame.length);
      if (place < 0 || place >= frame.length) return;
      frame[place] = 0;
      const result = run(frame);
      if (!Number.isNaN(result)) frame[place] = turn ? -result & 0xff : result;
    },
  };
}

/** A checksum in so many hex digits; ? where the frame is too short for it. */
function hex(value: number, digits: number): string {
  return Number.isNaN(value) ? '?' : value.toString(16).padStart(digits, '0');
}

function sumOf(spec: ChecksumSpec, path: Path, problems: Problems): { compute: Checksum; width: number } | undefined {
  const { type, init, xorout, complement } = spec;
  if (type === 'crc') {
    if (complement !== undefined || init !== 0 || xorout !== 0) {
      problems.add(path, 'complement, init and xorout of a crc belong to its parameters under crc');
    }
    return crcOf(spec.crc, [...path, 'crc'], problems);
  }
  if (spec.crc !== undefined) problems.add([...path, 'crc'], 'is for type: crc');
  if (type === 'none') return undefined;
  const width = SUM_WIDTHS[type];
  const plain = PLAIN[type];
  const modulus = 2 ** width;
  const exclusive = type === 'xor8';
  if (init === 0 && xorout === 0 && complement === undefined && (type === 'sum8' || type === 'sum16')) {
    const mask = modulus - 1;
    return { width, compute: (bytes, from, to) => sum32(bytes, from, to) & mask };
  }
  return {
    width,
    compute: (bytes, from, to) => {
      let value = plain(bytes, from, to) % modulus;
      value = exclusive ? (value ^ init) & 0xff : (value + init) % modulus;
      if (complement === 'ones') value = modulus - 1 - value;
      else if (complement === 'twos') value = (modulus - value) % modulus;
      return ((value ^ xorout) >>> 0) % modulus;
    },
  };
}

const PLAIN: Readonly<Record<keyof typeof SUM_WIDTHS, Checksum>> = {
  sum8: sum32,
  sum16: sum32,
  sum24: sum32,
  sum32,
  sum16le: (bytes, from = 0, to = bytes.length) => wordSum(bytes, from, to, true),
  sum16be: (bytes, from = 0, to = bytes.length) => wordSum(bytes, from, to, false),
  xor8,
  lrc: (bytes, from, to) => -sum32(bytes, from, to) & 0xff,
  fletcher8: fletcher8Mod256,
  fletcher16,
  fletcher32,
  adler32,
};

/** The sum of 16-bit words; an odd last byte is a word of its own. */
function wordSum(bytes: Uint8Array, from: number, to: number, little: boolean): number {
  let sum = 0;
  for (let i = from; i < to; i += 2) {
    const a = bytes[i]!;
    const b = i + 1 < to ? bytes[i + 1]! : 0;
    sum += little ? a | (b << 8) : (a << 8) | b;
  }
  return sum % 0x1_0000;
}

function crcOf(
  crc: ChecksumSpec['crc'],
  path: Path,
  problems: Problems,
): { compute: Checksum; width: number } | undefined {
  if (crc === undefined) {
    problems.add(path, 'a crc needs its name, such as crc: CRC-16/MODBUS, or its parameters');
    return undefined;
  }
  if (typeof crc === 'string') {
    if (Object.hasOwn(CRC_CATALOGUE, crc)) {
      const known = CRC_CATALOGUE[crc as CrcName];
      return { compute: makeCrc(known), width: known.width };
    }
    const names = Object.keys(CRC_CATALOGUE);
    const near = namesEnding(crc, names) ?? suggest(crc, names);
    const hint = near === undefined ? `; known are ${names.join(', ')}` : `. Did you mean ${near}?`;
    problems.add(path, `there is no such CRC in the catalogue${hint}`);
    return undefined;
  }
  const width = Number(crc.width) as 8 | 16 | 32;
  for (const key of ['poly', 'init', 'xorout'] as const) {
    if (crc[key] >= 2 ** width) {
      problems.add([...path, key], `does not fit a CRC of ${width} bits`);
      return undefined;
    }
  }
  return { compute: makeCrc({ ...crc, width }), width };
}

/** What `modbus`, `crc16_modbus` or `maxim-dow` can mean: the names with this behind the slash. */
function namesEnding(written: string, names: readonly string[]): string | undefined {
  const end = written
    .slice(0, 64)
    .toLowerCase()
    .replace(/^crc[-_ ]?\d*[-_/ ]?/, '')
    .replaceAll('_', '-');
  const found = names.filter((name) => name.slice(name.indexOf('/') + 1).toLowerCase() === end);
  return found.length === 0 ? undefined : found.join(' or ');
}
