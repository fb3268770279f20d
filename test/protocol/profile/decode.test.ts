import { describe, expect, test } from 'vitest';
import { drain, framesOf, hex, itemsOf, profileOf, toHex, valuesOf } from './helpers.ts';

/** The values of a frame of fixed length, by fields alone. */
function read(fields: string, frame: string, more = ''): Record<string, unknown> {
  const bytes = hex(frame);
  const profile = profileOf(
    `title: T\nframing: { length: ${bytes.length} }\n${more}\nfields:\n${fields.replaceAll(/^/gm, '  ')}`,
  );
  return valuesOf(profile.open(), bytes);
}

describe('numbers', () => {
  test.each([
    ['u8', 'fe', 254],
    ['i8', 'fe', -2],
    ['u16', '0102', 258],
    ['i16', 'fffe', -2],
    ['u24', '010203', 66_051],
    ['i24', 'fffffe', -2],
    ['u32', 'fffffffe', 4_294_967_294],
    ['i32', 'fffffffe', -2],
    ['u40', '0102030405', 4_328_719_365n],
    ['u48', '010203040506', 1_108_152_157_446n],
    ['i48', 'fffffffffffe', -2n],
    ['u64', 'fffffffffffffffe', 18_446_744_073_709_551_614n],
    ['i64', 'fffffffffffffffe', -2n],
    ['u56', '01000000000001', 281_474_976_710_657n],
    ['f32', '42280000', 42],
    ['f64', '4045000000000000', 42],
  ])('%s', (type, frame, value) => {
    expect(read(`x: { at: 0, type: ${type} }`, frame)).toEqual({ x: value });
    const reversed = hex(frame).toReversed();
    expect(read(`x: { at: 0, type: ${type}, order: little }`, toHex(reversed))).toEqual({ x: value });
  });

  test.each([
    ['word-swapped', 'u32', '03040102', 0x01020304],
    ['byte-swapped', 'u32', '02010403', 0x01020304],
    ['word-swapped', 'f32', '00004228', 42],
    ['word-swapped', 'u64', '0708050603040102', 0x0102030405060708n],
    ['byte-swapped', 'u16', '0201', 0x0102],
  ])('%s %s', (order, type, frame, value) => {
    expect(read(`x: { at: 0, type: ${type}, order: ${order} }`, frame)).toEqual({ x: value });
  });

  test('scale and offset are exact', () => {
    expect(read('x: { at: 0, type: u16, scale: 0.1, offset: -273.15 }', '0ba5')).toEqual({ x: 24.95 });
    expect(read('x: { at: 0, type: u16, divisor: 8, offset: -256 }', '09d0')).toEqual({ x: 58 });
    expect(read('x: { at: 0, type: u16, divisor: 3 }', '0001')).toEqual({ x: 1 / 3 });
    expect(read('x: { at: 0, type: i32, scale: 1e-7 }', '1fdb4abf')).toEqual({ x: 53.4465215 });
    expect(read('x: { at: 0, type: u16, scale: -2 }', '0003')).toEqual({ x: -6 });
  });

  test('an exponent from the frame', () => {
    expect(read('x: { at: 0, type: u16, exponent: { at: 2 } }', '09fbfe')).toEqual({ x: 25.55 });
    expect(read('x: { at: 0, type: u16, exponent: { at: 2 } }', '000703')).toEqual({ x: 7_000 });
  });

  test('bits and masks', () => {
    const fields =
      'year: { at: 0, type: u16, bits: 9..15, offset: 2000 }\nmonth: { at: 0, type: u16, mask: 0x01e0 }\nday: { at: 0, type: u16, bits: 0..4 }\nodd: { at: 1, bit: 0 }';
    expect(read(fields, '2c50')).toEqual({ year: 2022, month: 2, day: 16, odd: false });
  });

  test('BCD', () => {
    expect(read('x: { at: 0, type: bcd, size: 3, scale: 0.01 }', '123456')).toEqual({ x: 1234.56 });
    expect(read('x: { at: 0, type: bcd, size: 2, order: little, signed: true }', '3482')).toEqual({ x: -234 });
    expect(read('x: { at: 0, type: bcd, size: 2 }', '12a4')).toEqual({});
    expect(read('x: { at: 0, type: bcd, size: 8 }', '0356314041419858')).toEqual({ x: '0356314041419858' });
  });

  test('no reading', () => {
    expect(read('x: { at: 0, type: u16, none: 0xffff }\ny: { at: 2, type: i8, none: [0, -1] }', 'ffffff')).toEqual({});
    expect(read('x: { at: 0, type: f32 }', '7fc00000')).toEqual({});
  });

  test('out of range', () => {
    expect(read('x: { at: 0, type: i16, scale: 0.1, range: [-40, 125] }', '0fa0')).toEqual({ 'x!': 400 });
  });
});

describe('words', () => {
  test('names and flags', () => {
    const fields =
      'state: { at: 0, type: u8, names: { 0: off, 0x10: on, other: unknown } }\nplain: { at: 0, type: u8, names: { 1: one } }\nalarms: { at: 1, type: u16, flags: [a, b, "-", d] }';
    expect(read(fields, '100000')).toEqual({ state: 'on', plain: '16', alarms: '' });
    expect(read(fields, '07000f')).toEqual({ state: 'unknown', plain: '7', alarms: 'a, b, d' });
  });

  test('flags as bools', () => {
    expect(read('x: { at: 0, type: u8, flags: { 0: low, 7: high }, flags_as: bools, class: problem }', '80')).toEqual({
      low: false,
      high: true,
    });
  });

  test('text', () => {
    expect(
      read('x: { at: 0, type: ascii, size: 6 }\ny: { at: 0, type: hex, size: 2, order: little }', '6162632000ff'),
    ).toEqual({ x: 'abc', y: '6261' });
    expect(read('x: { at: 1, type: ascii, size: { at: 0 } }', '0368656c6c6f')).toEqual({ x: 'hel' });
    expect(read('x: { at: 1, type: ascii, size: end }', '0368656c')).toEqual({ x: 'hel' });
    expect(read('x: { at: 0, type: number, size: 4, scale: 0.1 }', '30313233')).toEqual({ x: 12.3 });
  });
});

describe('expressions', () => {
  test.each([
    ['a + b * 2', 7],
    ['(a + b) * 2 - -1', 9],
    ['a / 0', undefined],
    ['b & 2 == 2', true],
    ['b << 4 | a', 49],
    ['~0 >> 28', 15],
    ['a < b && !(a == b)', true],
    ['a > b ? 1 : 2', 2],
    ['min(a, b, -4) + abs(-3)', -1],
    ['round(2.345, 2)', 2.35],
    ['bit(b, 1)', true],
    ['signed(0xfffe, 16)', -2],
    ['bcd(0x1234)', 1234],
    ['dm(5327.043)', 53.45071666666666],
    ['date(2024, 2, 29)', '2024-02-29'],
    ['date(2023, 2, 29)', undefined],
    ['datetime(2024, 1, 2, 3, 4, 5)', '2024-01-02T03:04:05Z'],
    ['unix(1970, 1, 2)', 86_400],
    ["t == 'xy' ? 'yes' : 'no'", 'yes'],
    ['n + 1', undefined],
    ['hex(255, 4)', '00ff'],
    ['value(d) + length(t)', 14],
  ])('%s', (source, value) => {
    const fields = `a: { at: 0, type: u8, hidden: true }\nb: { at: 1, type: u8, hidden: true }\nt: { at: 2, type: ascii, size: 2, hidden: true }\nn: { at: 4, type: u8, none: 0xff, hidden: true }\nd: { at: 5, type: ascii, size: 2, hidden: true }\nx: { value: ${JSON.stringify(source)} }`;
    expect(read(fields, '0103 7879 ff 3132')).toEqual(value === undefined ? {} : { x: value });
  });

  test('a condition, a dropped frame, the time of a frame', () => {
    expect(read('a: { at: 0, type: u8 }\nx: { at: 1, type: u8, when: a > 1 }', '0105')).toEqual({ a: 1 });
    const profile = profileOf(
      'title: T\nframing: { length: 5 }\ndrop_if: a == 0\ntime: s\nfields: { a: { at: 0, type: u8 }, s: { at: 1, type: u32, hidden: true } }',
    );
    expect(profile.open().decode(hex('00 65920080'))).toMatchObject({ ok: false, code: 'dropped' });
    expect(profile.open().decode(hex('01 65920080'))).toMatchObject({
      samples: [{ timeKind: 'unix', time: 1_704_067_200_000 }],
    });
  });

  test('fields of other messages keep their last value', () => {
    const profile = profileOf(
      'title: T\nframing: { sync: aa, length: 3 }\nmessages:\n  n: { match: { 1: 01 }, fields: { count: { at: 2, type: u8 } } }\n  c: { match: { 1: 02 }, fields: { twice: { value: count * x }, x: { at: 2, type: u8 } } }\n',
    );
    const instance = profile.open();
    expect(valuesOf(instance, hex('aa0203'))).toEqual({ x: 3 });
    instance.decode(hex('aa0105'));
    expect(valuesOf(instance, hex('aa0203'))).toEqual({ x: 3, twice: 15 });
  });
});

describe('many', () => {
  const cells =
    'title: T\nframing: { sync: dd, length: { at: 1, plus: 3 }, tail: 77 }\nfields: { cell: { at: 2, type: u16, scale: 0.001, repeat: { count: { at: 1, divisor: 2 }, max: 3 } } }';

  test('a repeat', () => {
    expect(valuesOf(profileOf(cells).open(), hex('dd 04 0ce4 0ce5 77'))).toEqual({ cell_1: 3.3, cell_2: 3.301 });
    expect(profileOf(cells).channels.map(({ alias, repeated }) => [alias, repeated])).toEqual([
      ['cell_1', true],
      ['cell_2', true],
      ['cell_3', true],
    ]);
  });

  test('a count beyond the most there can be, or beyond the frame, gives nothing', () => {
    expect(profileOf(cells).open().decode(hex('dd 08 0ce4 0ce4 0ce4 0ce4 77'))).toMatchObject({
      ok: false,
      code: 'bad-content',
    });
    const counted =
      'title: T\nframing: { length: 6 }\nfields: { t: { at: 1, type: u8, repeat: { count: { at: 0 }, max: 20 } } }';
    expect(profileOf(counted).open().decode(hex('06 0102030405'))).toMatchObject({
      ok: false,
      code: 'bad-content',
      at: 1,
    });
  });

  test('elements numbered by the frame, and limited', () => {
    const profile = profileOf(
      'title: T\nframing: { length: 4 }\nfields: { k: { at: 0, type: u8, hidden: true }, v: { at: 1, type: u8, repeat: { count: 3, max: 9, first: { at: 0, times: 3, plus: -2 }, limit: "8" } } }',
    );
    expect(valuesOf(profile.open(), hex('02 0a0b0c'))).toEqual({ v_4: 10, v_5: 11, v_6: 12 });
    expect(valuesOf(profile.open(), hex('03 0a0b0c'))).toEqual({ v_7: 10, v_8: 11 });
  });

  test('groups', () => {
    const profile = profileOf(
      'title: T\nframing: { length: 9 }\ngroups: { phase: { from: 1, count: 2, stride: 4, name: "{field}_l{n}", fields: { voltage: { at: 0, type: u16 }, current: { at: 2, type: u16, hidden: true }, power: { value: voltage * current } } } }',
    );
    expect(valuesOf(profile.open(), hex('00 00e6 0002 00e7 0003'))).toEqual({
      voltage_l1: 230,
      power_l1: 460,
      voltage_l2: 231,
      power_l2: 693,
    });
  });

  test('records without a length: the fields of the tag say', () => {
    const profile = profileOf(
      'title: T\nframing: { sync: aa, length: { at: 1, plus: 3 } }\nchecksum: { type: sum8, at: -1 }\nrecords: { from: 2, tags: { 0x83: { v: { at: 0, type: u16 } }, 0x79: { c: { at: 2, type: u8, repeat: { count: { at: 0, divisor: 2 }, stride: 2, max: 4 } } } } }',
    );
    const instance = profile.open();
    expect(valuesOf(instance, hex('aa 09 79 04 0105 0206 83 0011 00'))).toEqual({ c_1: 5, c_2: 6, v: 17 });
    // An unknown tag ends the list; what came before it counts.
    expect(valuesOf(instance, hex('aa 05 83 0011 84 00 00'))).toEqual({ v: 17 });
    expect(instance.decode(hex('aa 02 83 00 00'))).toMatchObject({ ok: false, code: 'bad-content' });
  });

  test('records of tags that nobody listed become channels of their own', () => {
    const profile = profileOf(
      'title: T\nframing: { sync: 55, length: { at: 1, plus: 2 } }\nrecords: { from: 2, kind: { kinds: { 1: bool, 2: i32, 3: ascii } }, length: { type: u16 }, others: "dp_{tag}", tags: { 9: { known: { at: 0, type: u8 } } } }',
    );
    const instance = profile.open();
    const frame = hex('55 16 05 02 0004 ffffffff 12 01 0001 01 09 01 0001 07 06 03 0000');
    expect(valuesOf(instance, frame)).toEqual({ dp_5: -1, dp_18: true, known: 7 });
    const decoded = instance.decode(frame);
    expect(decoded.ok && decoded.newChannels.map(({ alias, number }) => [alias, number])).toEqual([
      ['dp_5', 250],
      ['dp_18', 237],
    ]);
  });
});

describe('text', () => {
  test('columns', () => {
    const profile = profileOf(
      `title: T\nframing: { sync: 24, tail: 0d 0a }\nchecksum: { type: xor8, from: 1, to: -5, at: -4, size: 2, encoding: HEX }\nmatch: { 3: '"GGA"' }\ntext: { from: 1, to: -5, split: '","' }\nfields: { lat: { column: 2, type: number, hidden: true }, ns: { column: 3, type: ascii, hidden: true }, latitude: { value: "ns == 'S' ? -dm(lat) : dm(lat)" }, n: { column: 7, type: number }, none: { column: 4, type: number } }`,
    );
    const instance = profile.open();
    const line = Buffer.from('$GPGGA,080247.00,5327.04300,S,,W,1,07,1.63*', 'latin1');
    const sum = line
      .subarray(1, -1)
      .reduce((all, byte) => all ^ byte, 0)
      .toString(16)
      .padStart(2, '0');
    const [frame] = framesOf(instance, Uint8Array.from([0x21, ...line, ...Buffer.from(`${sum}\r\n`)]));
    expect(valuesOf(instance, frame!)).toEqual({ latitude: -53.45071666666666, n: 7 });
  });

  test('lines, between which other bytes may come', () => {
    const profile = profileOf(
      `title: T\nignore: [{ from: 3a, to: 0a }]\nframing: { sync: 0d 0a, end: { marker: '"Checksum\\t"', plus: 1 } }\nchecksum: { type: sum8, zero: true }\ntext: { lines: 0d 0a, separator: '"\\t"' }\nfields: { v: { key: V, type: number, scale: 0.001 }, on: { key: LOAD, type: ascii, names: { ON: yes, OFF: no } }, mode: { key: CS, type: number, names: { 3: bulk } } }`,
    );
    const instance = profile.open();
    const wire = instance.encode('data', { v: 12.065, on: 'no', mode: 'bulk' });
    expect(Buffer.from(wire).toString('latin1')).toMatch(/^\r\nV\t12065\r\nLOAD\tOFF\r\nCS\t3\r\nChecksum\t.$/s);
    const withRun = Uint8Array.from([...wire.subarray(0, 11), ...Buffer.from(':A1234\n'), ...wire.subarray(11)]);
    const items = itemsOf(instance, Uint8Array.from([...Buffer.from(':51\n'), ...withRun]));
    expect(items.map(({ kind, wireLength }) => [kind, wireLength])).toEqual([
      ['skip', 4],
      ['frame', wire.length + 7],
    ]);
    expect(items[0]).toMatchObject({ reason: 'fill' });
    expect(valuesOf(instance, items[1]!.bytes)).toEqual({ v: 12.065, on: 'no', mode: 'bulk' });
  });

  test('values in parentheses', () => {
    const profile = profileOf(
      `title: T\nframing: { sync: 2f, end: { marker: '"!"', plus: 2 } }\ntext: { lines: 0d 0a, separator: '"("' }\nfields: { e: { key: "1-0:1.8.1", type: number, unit: kWh }, at: { key: "0-1:24.2.1", type: ascii }, gas: { key: "0-1:24.2.1", group: 2, type: number } }`,
    );
    const text = '/X\r\n\r\n1-0:1.8.1(004.426*kWh)\r\n0-1:24.2.1(170102S)(00107.5*m3)\r\n!\r\n';
    expect(valuesOf(profile.open(), Buffer.from(text))).toEqual({ e: 4.426, at: '170102S', gas: 107.5 });
  });
});

describe('frames', () => {
  test('kinds of frames, each with its own length', () => {
    const instance = profileOf(
      'title: T\nframing: [{ sync: 78 78, length: { at: 2, plus: 5 }, tail: 0d 0a }, { sync: 79 79, length: { at: 2, type: u16, plus: 6 }, tail: 0d 0a }]\nfields: { x: { at: 4, type: u8, optional: true } }',
    ).open();
    const items = itemsOf(instance, hex('00 7878 02 05 00 0d0a 7979 0002 0708 0d0a 7878 02 05 00 0d0b'));
    expect(items.map((item) => (item.kind === 'frame' ? toHex(item.bytes) : item.reason))).toEqual([
      'noise',
      '78780205000d0a',
      '7979000207080d0a',
      'bad-trailer',
    ]);
  });

  test('a lost byte costs one frame, not two', () => {
    const instance = profileOf(
      'title: T\nframing: { sync: aa, length: 5 }\nchecksum: { type: sum8, from: 0, to: -1, at: -1 }\nfields: { x: { at: 1, type: u8 } }',
    ).open();
    const good = instance.encode('data', { x: 7 });
    const items = itemsOf(instance, Uint8Array.from([...good.subarray(0, 4), ...good, ...good]));
    expect(items.map(({ kind }) => kind)).toEqual(['skip', 'frame', 'frame']);
    expect(instance.failedChecksum(items[0]!.bytes.length < 5 ? hex('aa07000000') : items[0]!.bytes)).toEqual({
      computed: 'b1',
      received: '00',
      at: 4,
    });
  });

  test('silence ends a frame', () => {
    const instance = profileOf(
      'title: T\nframing: { gap_ms: 5 }\nchecksum: { type: sum8, at: -1 }\nfields: { x: { at: 0, type: u8 } }',
    ).open();
    expect(instance.profile.about.gapMs).toBe(5);
    const decoder = instance.createDecoder();
    decoder.push(hex('0203 05'));
    expect(drain(decoder)).toEqual([]);
    decoder.expire();
    decoder.push(hex('020306'));
    decoder.expire();
    expect(drain(decoder).map((item) => (item.kind === 'frame' ? 'frame' : item.reason))).toEqual([
      'frame',
      'bad-checksum',
    ]);
  });

  test('stuffing of its own', () => {
    const instance = profileOf(
      'title: T\nframing: { escape: { flag: c0, escape: db, map: { dc: c0, dd: db } }, length: 3 }\nfields: { x: { at: 0, type: u24 } }',
    ).open();
    expect(toHex(instance.encode('data', { x: 0xc001db }))).toBe('c0dbdc01dbddc0');
    expect(framesOf(instance, hex('c0dbdc01dbddc0')).map(toHex)).toEqual(['c001db']);
    expect(itemsOf(instance, hex('c0db01c0')).map((item) => item.kind === 'skip' && item.reason)).toContain(
      'bad-escape',
    );
  });

  test('bytes that are changed on the wire', () => {
    const instance = profileOf(
      'title: T\nframing: { sync: 68, length: 5 }\ntransform: { subtract: 33, from: 1, to: -1 }\nchecksum: { type: sum8, at: -1 }\nfields: { x: { at: 1, type: bcd, size: 3, order: little } }',
    ).open();
    const wire = instance.encode('data', { x: 12_345 });
    expect(toHex(wire)).toBe('687856346a');
    expect(valuesOf(instance, wire)).toEqual({ x: 12_345 });
  });

  test('the identity of the device', () => {
    const profile = profileOf(
      'title: T\nframing: { length: 4 }\ndevice: { at: 0, type: hex, size: 2 }\nfields: { x: { at: 2, type: u16 } }',
    );
    expect(profile.about.identified).toBe(true);
    expect(profile.open().decode(hex('0a1b0001'))).toMatchObject({ ok: true, device: '0a1b' });
  });

  test('a message is one only when all its fields fit', () => {
    const instance = profileOf(
      'title: T\nframing: { sync: aa, length: { at: 1 } }\nfields: { x: { at: 2, type: u16 }, y: { at: 4, type: u8, optional: true } }',
    ).open();
    expect(instance.decode(hex('aa0305'))).toMatchObject({ ok: false, code: 'short-frame', at: 3 });
    expect(valuesOf(instance, hex('aa040005'))).toEqual({ x: 5 });
  });

  test('more values than a sample holds', () => {
    const instance = profileOf(
      'title: T\nframing: { length: 100 }\nfields: { x: { at: 0, type: u8, repeat: { count: 100 } } }',
    ).open();
    const decoded = instance.decode(new Uint8Array(100));
    expect(decoded.ok && decoded.samples.map(({ values }) => values.length)).toEqual([63, 37]);
  });

  test('one name with two scales is told as it is shown', () => {
    const profile = profileOf(
      'title: T\nframing: { sync: aa, length: 4 }\nmessages: { a: { match: { 1: 01 }, fields: { x: { at: 2, type: u16, scale: 0.01 } } }, b: { fields: { x: { at: 2, type: u16, scale: 0.1 } } } }',
    );
    expect(profile.channels).toMatchObject([{ alias: 'x', type: 'f64', scale: 0 }]);
    expect([valuesOf(profile.open(), hex('aa010019')), valuesOf(profile.open(), hex('aa020019'))]).toEqual([
      { x: 0.25 },
      { x: 2.5 },
    ]);
  });
});
