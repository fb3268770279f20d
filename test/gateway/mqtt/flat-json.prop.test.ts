import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFlatObject, type PlainValue } from '../../../gateway/mqtt/flat-json.ts';

function plain(value: PlainValue): unknown {
  if (value.kind === 'null') return null;
  if (value.kind === 'bool') return value.value;
  return value.kind === 'number' ? Number(value.text) : value.text;
}

describe('parseFlatObject', () => {
  it('keeps the digits of numbers', () => {
    expect(parseFlatObject(' { "a" : 18446744073709551615 , "b":-1.50e+3}\n')).toEqual(
      new Map([
        ['a', { kind: 'number', text: '18446744073709551615' }],
        ['b', { kind: 'number', text: '-1.50e+3' }],
      ]),
    );
  });

  it.each([
    '',
    '{',
    '{}}',
    '[]',
    '1',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    "{'a':1}",
    '{"a":01}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":{}}',
    '{"a":[1]}',
    '{"a":"\n"}',
    '{"a":"\\x"}',
    '{"a":tru}',
    '{"a":NaN}',
    '{"a" 1}',
    '\ufeff{}',
  ])('refuses %j', (text) => {
    expect(parseFlatObject(text)).toBeUndefined();
  });

  it('reads what JSON.parse reads, prototype keys included', () => {
    const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString'));
    const member = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(key, member)), fc.constantFrom(0, 2), (entries, indent) => {
        const text = JSON.stringify(Object.fromEntries(entries), null, indent);
        const expected = JSON.parse(text) as Record<string, unknown>;
        const got = parseFlatObject(text);
        expect([...got!.keys()].toSorted()).toEqual(Object.keys(expected).toSorted());
        for (const [name, value] of got!) expect(plain(value)).toEqual(expected[name]);
      }),
    );
  });

  it('never takes what JSON.parse does not', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '"a"',
      '"',
      ':',
      ',',
      '1',
      '-',
      '.5',
      'e9',
      'true',
      'null',
      ' ',
      '\\',
      '\\u00e9',
      '[',
      ']',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = `{${parts.join('')}}`;
        if (parseFlatObject(text) !== undefined) JSON.parse(text);
      }),
      { numRuns: 3_000 },
    );
  });
});
