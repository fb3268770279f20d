import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadProfile } from '../../../protocol/index.ts';
import type { Item, ProfileField } from '../../../protocol/index.ts';
import { drain, framesOf, itemsOf, profileOf, shown } from './helpers.ts';

interface Shape {
  readonly yaml: string;
  readonly checked: boolean;
}

const TYPES = ['u8', 'u16', 'u24', 'u32', 'u40', 'u48', 'u64', 'i8', 'i16', 'i24', 'i32', 'i48', 'i64'] as const;
const ORDERS = ['big', 'little', 'word-swapped', 'byte-swapped'] as const;
const CHECKSUMS = [
  ['{ type: sum8, from: 0, to: -1, at: -1 }', 1],
  ['{ type: sum16, from: 1, to: -2, at: -2 }', 2],
  ['{ type: sum16, complement: twos, from: 2, to: -2, at: -2, order: little }', 2],
  ['{ type: sum8, complement: ones, from: 0, to: -1, at: -1 }', 1],
  ['{ type: xor8, from: 0, to: -2, at: -2, size: 2, encoding: HEX }', 2],
  ['{ type: crc, crc: CRC-16/MODBUS, from: 0, to: -2, at: -2, order: little }', 2],
  ['{ type: crc, crc: CRC-32/ISO-HDLC, from: 0, to: -4, at: -4 }', 4],
  ['{ type: crc, crc: CRC-8/MAXIM-DOW, from: 0, to: -1, at: -1 }', 1],
  ['{ type: fletcher8, from: 2, to: -2, at: -2, order: little }', 2],
  ['{ type: sum16le, from: 0, to: -2, at: -2 }', 2],
  ['{ type: sum8, zero: true }', 1],
] as const;

const field = fc.record({
  type: fc.constantFrom(...TYPES),
  order: fc.constantFrom(...ORDERS),
  convert: fc.constantFrom(
    '',
    'scale: 0.1',
    'scale: 0.01, offset: -273.15',
    'divisor: 8',
    'scale: -1',
    'divisor: 3',
    'scale: 1e-3',
  ),
});

// Where a flipped bit can move the end of the frame, a sum is right by chance one time in 256; a CRC-32 is not.
const FIXED = /framing: \{ sync: aa 55, length: \d/;

/** Profiles of one message, of every framing that knows a length. */
const shape: fc.Arbitrary<Shape> = fc
  .record({
    fields: fc.array(field, { minLength: 1, maxLength: 6 }),
    flags: fc.boolean(),
    repeat: fc.boolean(),
    framing: fc.constantFrom('length', 'fixed', 'little', 'hdlc', 'slip', 'cobs', 'masked'),
    checksum: fc.option(fc.constantFrom(...CHECKSUMS), { nil: undefined }),
    order: fc.constantFrom(...ORDERS),
  })
  .map(({ fields, flags, repeat, framing, checksum, order }) => {
    const lines: string[] = [];
    let at = 5;
    fields.forEach(({ type, order: own, convert }, i) => {
      const wide = type.endsWith('64') && convert !== '' ? 'u32' : type;
      lines.push(`  f${i}: { at: ${at}, type: ${wide}, order: ${own}${convert === '' ? '' : `, ${convert}`} }`);
      at += Number(wide.slice(1)) / 8;
    });
    if (flags) {
      lines.push(
        `  low: { at: ${at}, type: u8, bits: 0..3 }`,
        `  high: { at: ${at}, type: u8, bits: 5..7 }`,
        `  on: { at: ${at}, bit: 4 }`,
      );
      lines.push(
        `  words: { at: ${at + 1}, type: u16, flags: [a, b, "-", d] }`,
        `  state: { at: ${at + 3}, type: u8, names: { 0: idle, 7: busy, other: odd } }`,
      );
      lines.push(
        `  digits: { at: ${at + 4}, type: bcd, size: 2, scale: 0.1 }`,
        `  name: { at: ${at + 6}, type: ascii, size: 4 }`,
      );
      lines.push(`  ratio: { at: ${at + 10}, type: f32 }`);
      at += 14;
    }
    const trailer = checksum === undefined ? 0 : checksum[1];
    if (repeat) {
      lines.push(`  cell: { at: ${at}, type: u16, scale: 0.001, repeat: { count: { at: 4 }, max: 8 } }`);
      at += 16;
    }
    const total = at + trailer;
    const ways = {
      length: `{ sync: aa 55, length: { at: 2, type: u16, plus: 4, order: big }, max: 255 }`,
      little: `{ sync: aa 55, length: { at: 2, type: u16, plus: 0, order: little }, max: 255 }`,
      fixed: `{ sync: aa 55, length: ${total} }`,
      masked: `{ sync: [{ at: 0, bytes: a0, mask: f0 }, { at: 1, bytes: 55 }], length: { at: 2, type: u8, plus: 4 }, max: 255 }`,
      hdlc: '{ escape: hdlc, max: 255 }',
      slip: '{ escape: slip, max: 255 }',
      cobs: '{ escape: cobs, max: 255 }',
    };
    const yaml = [
      'title: Test',
      `order: ${order}`,
      `framing: ${ways[framing]}`,
      ...(checksum === undefined ? [] : [`checksum: ${checksum[0]}`]),
      'fields:',
      ...lines,
    ].join('\n');
    return { yaml, checked: checksum !== undefined };
  });

/** A value that fits a field. */
function valueFor(info: ProfileField): fc.Arbitrary<boolean | number | bigint | string> {
  if (info.kind === 'bool') return fc.boolean();
  if (info.kind === 'option') return fc.constantFrom(...info.options!);
  if (info.kind === 'flags') return fc.subarray([...info.options!]).map((words) => words.join(', '));
  if (info.kind === 'text') return fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,3}$/);
  const [least, most] = info.limits!;
  if (info.step === undefined) return fc.float({ noNaN: true, noDefaultInfinity: true });
  if (info.step === 1 && most > Number.MAX_SAFE_INTEGER) {
    return least < 0 ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) : fc.bigInt(0n, 2n ** 64n - 1n);
  }
  const steps = Math.floor(Math.min((most - least) / info.step, 2 ** 48 - 1));
  return fc.integer({ min: 0, max: Math.min(steps, Number.MAX_SAFE_INTEGER) }).map((n) => least + n * info.step!);
}

const filled = shape.chain(({ yaml, checked }) => {
  const profile = profileOf(yaml);
  const fields = profile.messages[0]!.fields;
  const cells = fields.filter(({ index }) => index !== undefined);
  return fc
    .record({
      values: fc.tuple(...fields.map(valueFor)),
      count: fc.nat(cells.length),
    })
    .map(({ values, count }) => {
      const given: Record<string, boolean | number | bigint | string> = {};
      fields.forEach((info, i) => {
        if (info.index === undefined || info.index < count) given[info.name] = values[i]!;
      });
      return { profile, yaml, checked, given: given };
    });
});

function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
  if (typeof b === 'bigint') return BigInt(Math.round(Number(a))) === b || a === b || Number(a) === Number(b);
  return a === b;
}

describe('any profile', () => {
  test('decodes what it encodes, in one piece and byte by byte', () => {
    fc.assert(
      fc.property(filled, ({ profile, given }) => {
        const instance = profile.open();
        const wire = instance.encode('data', given);
        const frames = framesOf(instance, wire.slice());
        expect(frames).toHaveLength(1);
        const decoder = instance.createDecoder();
        const items = Array.from(wire, (byte) => {
          decoder.push(Uint8Array.of(byte));
          return drain(decoder);
        }).flat();
        expect(items.filter(({ kind }) => kind === 'frame').map(({ bytes }) => bytes)).toEqual(frames);
        const decoded = instance.decode(frames[0]!);
        if (!decoded.ok) throw new Error(decoded.code);
        const got = shown(instance, decoded);
        for (const [name, value] of Object.entries(given)) {
          const channel = profile.channels.find(({ alias }) => alias === name)!;
          const seen =
            typeof got[name] === 'bigint' && channel.scale !== 0 ? Number(got[name]) * 10 ** channel.scale : got[name];
          if (!same(value, seen)) throw new Error(`${name}: ${String(value)} became ${String(seen)}`);
        }
        expect(Object.keys(got)).toHaveLength(Object.keys(given).length);
      }),
      { numRuns: 150 },
    );
  });

  test('accounts for every byte and gives the same however the bytes are cut, and throws on none', () => {
    fc.assert(
      fc.property(
        filled,
        fc.array(fc.oneof(fc.constant('frame' as const), fc.uint8Array({ maxLength: 20 })), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
        ({ profile, given }, pieces, cuts) => {
          const instance = profile.open();
          const wire = instance.encode('data', given);
          const bytes = Uint8Array.from(pieces.flatMap((piece) => (piece === 'frame' ? [...wire] : [...piece])));
          const whole = instance.createDecoder();
          whole.push(bytes.slice());
          const atOnce = drain(whole);
          whole.end();
          atOnce.push(...drain(whole));
          expect(whole.buffered).toBe(0);
          expect(atOnce.reduce((sum, item) => sum + item.wireLength, 0)).toBe(bytes.length);
          const cut = instance.createDecoder();
          const inPieces: Item[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = cuts[i % cuts.length]!;
            cut.push(bytes.slice(at, at + size));
            at += size;
            inPieces.push(...drain(cut));
          }
          cut.end();
          inPieces.push(...drain(cut));
          expect(inPieces.reduce((sum, item) => sum + item.wireLength, 0)).toBe(bytes.length);
          const frames = (items: typeof inPieces) =>
            items.flatMap((item) => (item.kind === 'frame' ? [item.bytes] : []));
          expect(frames(inPieces)).toEqual(frames(atOnce));
          for (const frame of frames(atOnce)) instance.decode(frame);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('decodes, explains and checks any bytes without throwing; an explanation covers every byte', () => {
    fc.assert(
      fc.property(shape, fc.uint8Array({ maxLength: 80 }), ({ yaml }, bytes) => {
        const instance = profileOf(yaml).open();
        instance.decode(bytes);
        instance.failedChecksum(bytes);
        instance.answer(bytes, {});
        const { parts, bytes: explained } = instance.explain(bytes);
        const covered = new Uint8Array(explained.length);
        for (const { from, to } of parts) covered.fill(1, from, to);
        expect(covered.includes(0)).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  test('with a checksum a flipped bit never changes a value', () => {
    fc.assert(
      fc.property(
        filled.filter(({ checked, yaml }) => checked && (FIXED.test(yaml) || yaml.includes('CRC-32'))),
        fc.nat(),
        ({ profile, given }, where) => {
          const instance = profile.open();
          const wire = instance.encode('data', given);
          const good = framesOf(instance, wire.slice())[0]!;
          const bad = wire.slice();
          const bit = where % (8 * bad.length);
          bad[bit >> 3]! ^= 1 << (bit & 7);
          for (const frame of framesOf(instance, bad)) {
            // What is not summed up (a sync byte in front of `from`, the case of a hex digit) changes no value.
            const before = instance.decode(good);
            const after = instance.decode(frame);
            if (!before.ok || !after.ok) continue;
            expect(after.samples).toEqual(before.samples);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('a good frame behind garbage arrives', () => {
    fc.assert(
      fc.property(
        filled.filter(({ yaml, checked }) => checked && yaml.includes('sync')),
        fc.uint8Array({ maxLength: 300 }),
        ({ profile, given }, noise) => {
          const instance = profile.open();
          const wire = instance.encode('data', given);
          const decoder = instance.createDecoder();
          decoder.push(Uint8Array.from([...noise, ...wire, ...wire]));
          const items = drain(decoder);
          decoder.expire();
          items.push(...drain(decoder));
          expect(items.some((item) => item.kind === 'frame' && Buffer.compare(item.bytes, wire) === 0)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('any text', () => {
  const good = [
    'title: T', 'order: little', 'framing: { sync: 42 4d, length: { at: 2, type: u16, plus: 4 } }', 'checksum: { type: sum16, from: 0, to: -2, at: -2 }',
    'parameters: { address: { type: u8, default: 1 } }', 'messages:', '  a:', '    match: { 1: 03 }', '    drop_if: x > 3',
    '    fields:', '      x: { at: 4, type: u16, scale: 0.1 }', '      y: { value: x * 2 }',
    'poll: { a: { send: "42 4d {address} {checksum}", answer: a } }', 'commands: { z: { type: bool, values: { on: "01", off: "00" } } }',
  ]; // biome-ignore format: lines

  test('is loaded or refused with a line, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const loaded = loadProfile({ name: 'x', text });
        if (!loaded.ok) for (const { line } of loaded.problems) expect(line).toBeGreaterThanOrEqual(1);
      }),
    );
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.nat(60),
        fc.string({ maxLength: 4 }),
        fc.nat(6),
        (line, at, insert, remove) => {
          const lines = [...good];
          const old = lines[line]!;
          lines[line] = old.slice(0, at) + insert + old.slice(at + remove);
          const loaded = loadProfile({ name: 'x', text: lines.join('\n') });
          if (loaded.ok) return;
          expect(loaded.problems.length).toBeGreaterThan(0);
          for (const problem of loaded.problems) {
            expect(problem.line).toBeGreaterThanOrEqual(1);
            expect(problem.line).toBeLessThanOrEqual(lines.join('\n').split(/\r\n|[\r\n]/).length);
            expect(problem.message).not.toBe('');
            expect(problem.message).not.toContain('Invalid input');
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

test('items of noise are what went in', () => {
  const instance = profileOf('title: T\nframing: { sync: aa, length: 3 }\nfields: { x: { at: 1, type: u8 } }').open();
  expect(itemsOf(instance, Uint8Array.of(1, 2, 0xaa, 5, 6))).toMatchObject([
    { kind: 'skip', reason: 'noise', wireLength: 2 },
    { kind: 'frame', wireLength: 3 },
  ]);
});
