import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHex } from '../../../gateway/commands/hex-input.ts';

const hex = (byte: number) => byte.toString(16).padStart(2, '0');
const line = (part: Uint8Array) => Array.from(part, hex).join(' ');
const SEPARATORS = [' ', ':', ',', ', ', '-', '_', ';', '\n', '\r\n', '\t', '  '];

describe('hex as people paste it', () => {
  it('reads bytes back whatever stands between them', () => {
    const piece = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
      prefix: fc.constantFrom('', '0x', '0X', '\\x'),
      upper: fc.boolean(),
      separator: fc.constantFrom(...SEPARATORS),
    });
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const text = pieces
          .map(({ bytes, prefix, upper, separator }) => {
            const digits = Array.from(bytes, hex).join('');
            return prefix + (upper ? digits.toUpperCase() : digits) + separator;
          })
          .join('');
        const expected = pieces.flatMap(({ bytes }) => [...bytes]);
        expect(parseHex(text)).toEqual({ ok: true, bytes: Uint8Array.from(expected) });
      }),
    );
  });

  it('says exactly where the first character is that is no hex', () => {
    const bytes = fc.array(fc.uint8Array({ minLength: 1, maxLength: 4 }), { maxLength: 6 });
    fc.assert(
      fc.property(bytes, bytes, fc.constantFrom('g', 'G', 'ü', '%', '😀', '.', '\u0000'), (before, after, bad) => {
        const start = before.map(line).join('\n');
        const text = `${start} ${bad}${after.map(line).join('\n')}`;
        const lines = `${start} `.split('\n');
        expect(parseHex(text)).toMatchObject({
          ok: false,
          line: lines.length,
          column: (lines.at(-1)?.length ?? 0) + 1,
        });
      }),
    );
  });

  it('never throws, and bytes are the digits in their order', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseHex(text);
        if (parsed.ok) expect(Array.from(parsed.bytes).every((byte) => byte >= 0 && byte < 256)).toBe(true);
        else expect(parsed.line).toBeGreaterThan(0);
      }),
    );
  });

  it.each([
    ['00000000: 2007 0007\n00000004: 0a                 ..', '200700070a'],
    ['00000000  20 07  00 07  | ...|\n00000004\n', '20070007'],
    // Eight digits alone are bytes where no dump goes before them.
    ['00000004', '00000004'],
    ['20070000:0102', '200700000102'],
    [String.raw`\x05\x20\X0a`, '05200a'],
  ])('reads %j', (text, expected) => {
    const parsed = parseHex(text);
    expect(parsed.ok && Buffer.from(parsed.bytes).toString('hex')).toBe(expected);
  });

  it.each([
    ['00000000: 2007 0g07', 1, 17],
    ['00000000  20 07 |  |\n*\n00000020', 2, 1],
    [String.raw`\x0520\n`, 1, 7],
    [String.raw`\x`, 1, 1],
  ])('refuses %j at line %i, column %i', (text, line, column) => {
    expect(parseHex(text)).toMatchObject({ ok: false, line, column });
  });

  it.each([
    ['0x', 1],
    ['ab cde', 6],
    ['0xabc', 5],
    ['a0x1', 3],
    ['--x', 3],
  ])('refuses %j at column %i', (text, column) => {
    expect(parseHex(text)).toMatchObject({ ok: false, line: 1, column });
  });

  it('takes one digit that stands alone as a byte', () => {
    expect(parseHex('0x3, 4 f')).toEqual({ ok: true, bytes: Uint8Array.of(3, 4, 15) });
  });
});
