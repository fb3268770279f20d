import { expect, test } from 'vitest';
import { hex, profileOf } from './helpers.ts';

const TEXT = `title: T
framing: { sync: 42 4d, length: { at: 2, type: u16, plus: 4 }, tail: 0d }
checksum: { type: sum8, from: 0, to: -2, at: -2 }
messages:
  data: { match: { 4: "01" }, fields: { pm: { at: 5, type: u16, scale: 0.1, unit: µg/m³ }, low: { at: 8, type: u8, bits: 0..3, hidden: true }, high: { at: 8, type: u8, bits: 4..7, names: { 1: one } }, twice: { value: pm * 2 } } }
poll: { x: { send: "42 4d e2 {checksum} 0d", answer: data } }
`;

test('every byte has a name, and what it says', () => {
  const instance = profileOf(TEXT).open();
  const frame = instance.encode('data', { pm: 12.5, low: 3, high: 'one' });
  const { message, problem, parts, computed } = instance.explain(frame);
  expect({ message, problem, computed }).toEqual({
    message: 'data',
    problem: undefined,
    computed: [{ name: 'twice', value: '25' }],
  });
  expect(parts.map(({ from, to, name, value }) => `${from}-${to} ${name} ${value}`)).toEqual([
    '0-2 sync 424d',
    '2-4 length 11 bytes in all',
    '4-5 match 01',
    '5-7 pm 12.5 µg/m³',
    '7-8 unused 00',
    '8-9 low 3',
    '8-9 high one',
    '9-10 checksum right',
    '10-11 tail 0d',
  ]);
});

test('a wrong checksum says computed and received; the frame is explained all the same', () => {
  const instance = profileOf(TEXT).open();
  const frame = instance.encode('data', { pm: 12.5 });
  frame[6]! ^= 1;
  const { problem, parts } = instance.explain(frame);
  expect(problem).toBe('the checksum is wrong: computed 13, received 14');
  expect(parts.find(({ name }) => name === 'pm')).toMatchObject({ value: '12.4 µg/m³', note: 'raw 124' });
});

test('a frame that is cut off is told by its length, not by a checksum of what is left', () => {
  const fixed = profileOf(
    'title: T\nframing: { sync: ff 86, length: 9 }\nchecksum: { type: sum8, from: 1, to: -1, at: -1 }\nfields: { a: { at: 2, type: u16 } }',
  ).open();
  const { problem, parts } = fixed.explain(hex('ff860085009600'));
  expect(problem).toBe('7 of 9 bytes: cut off, or the length is wrong');
  expect(parts.map(({ name }) => name)).not.toContain('checksum');
  const instance = profileOf(TEXT).open();
  expect(instance.explain(hex('424d00')).problem).toBe('cut off: the length field at byte 2 is missing');
  expect(instance.explain(hex('424d0007010003')).problem).toMatch(/^7 of 11 bytes/);
});

test('a framing by its tail says that the tail is missing, and shows what stands there', () => {
  const instance = profileOf(
    'title: T\nframing: { sync: "52", tail: "0d", max: 16 }\nfields: { a: { at: 1, type: ascii, size: 2 } }',
  ).open();
  const { problem, parts } = instance.explain(hex('52313233'));
  expect(problem).toBe('cut off: it does not end with 0d');
  expect(parts.find(({ name }) => name === 'tail')).toEqual({
    from: 3,
    to: 4,
    name: 'tail',
    value: '33',
    note: 'should be 0d',
    wrong: true,
  });
});

test('bytes behind the end that the length says get one verdict on the checksum', () => {
  const instance = profileOf(
    'title: T\nframing: { sync: fe 44, length: { at: 2, plus: 5 }, max: 16 }\nchecksum: { type: crc, crc: CRC-16/MODBUS, from: 0, to: -2, at: -2, order: little }\nfields: { co2: { at: 3, type: i16 } }',
  ).open();
  const { bytes, problem, parts } = instance.explain(hex('fe4400080207ff'));
  expect(bytes).toHaveLength(7);
  expect(problem).toBe('its length says 5 bytes, there are 7; the checksum is wrong: computed 3023, received 0208');
  expect(parts.filter(({ name }) => name === 'checksum').map(({ from }) => from)).toEqual([3]);
  expect(parts.at(-1)).toMatchObject({ from: 5, to: 7, name: 'beyond' });
});

test('requests and frames of no message', () => {
  const instance = profileOf(TEXT).open();
  const request = instance.polls[0]!.request()!.bytes;
  expect(instance.explain(request)).toMatchObject({ message: 'request x', problem: undefined });
  expect(instance.explain(hex('424d'))).toMatchObject({
    message: undefined,
    problem: expect.stringContaining('length'),
  });
  expect(instance.explain(hex(''))).toMatchObject({ parts: [] });
});

test('to look at a frame is not to receive it', () => {
  const instance = profileOf(
    'title: T\nframing: { sync: aa, length: 3 }\nmessages: { n: { match: { 1: 01 }, fields: { a: { at: 2, type: u8 } } }, m: { fields: { b: { value: a } } } }',
  ).open();
  instance.explain(hex('aa0105'));
  expect(instance.decode(hex('aa0200'))).toMatchObject({ ok: true, samples: [] });
});
