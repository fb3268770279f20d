import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable } from '../../protocol/index.ts';

describe('printable', () => {
  it('leaves ordinary text of any language alone', () => {
    for (const text of ['', 'plain text', 'Grüße, 世界 🌍', '°C µg/m³', '<b>&"\'']) expect(printable(text)).toBe(text);
  });

  it.each([
    ['line\r\nend\ttab', String.raw`line\r\nend\ttab`],
    ['\u0000\u001b[2J\u007f\u0085', String.raw`\x00\x1b[2J\x7f\x85`],
    ['a\u202eb\u2066c\u200b\u2028\ufeff', String.raw`a\u{202e}b\u{2066}c\u{200b}\u{2028}\u{feff}`],
    ['half \ud800 pair', String.raw`half \u{d800} pair`],
    [String.raw`\x1b`, String.raw`\\x1b`],
    ['\u{e0041}\u{f0000}', String.raw`\u{e0041}\u{f0000}`],
  ])('escapes what is not text: %j', (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it('cuts long text between characters', () => {
    expect(printable('abcdef', 3)).toBe('abc…');
    expect(printable('🌍🌍🌍', 2)).toBe('🌍🌍…');
    expect(printable('🌍🌍', 2)).toBe('🌍🌍');
    expect(printable('x'.repeat(1_000_000), 5)).toBe('xxxxx…');
  });

  it('gives one line without anything invisible, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text, 50)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
