import { describe, expect, test } from 'vitest';
import { formatProfileProblem, loadProfile, profileJsonSchema } from '../../../protocol/index.ts';
import { hex, problemsOf, profileOf } from './helpers.ts';

const GOOD = `title: T
framing: { sync: 42 4d, length: 12 }
checksum: { type: sum16, from: 0, to: -2, at: -2 }
fields:
  a: { at: 2, type: u16, scale: 0.1 }
  b: { value: a * 2 }
`;

function withRegister(keys: string): string {
  return `title: T\nmodbus: { registers: { a: { ${keys} } } }\n`;
}

/** What is wrong with GOOD when `from` in it is `to`. */
function broken(from: string, to: string): { at: string; message: string } {
  expect(GOOD).toContain(from);
  return problemsOf(GOOD.replace(from, to))[0]!;
}

describe('a problem names line, column and key, and what would be right', () => {
  test.each([
    ['type: u16', 'typ: u16', '5:15 fields.a.typ', 'Did you mean type?'],
    ['type: u16', 'type: u17', '5:21 fields.a.type', 'Did you mean u16?'],
    ['type: u16,', '', '5:6 fields.a', 'needs a type'],
    ['at: 2', 'at: 11', '5:6 fields.a', 'its frame has 12 bytes'],
    ['at: 2', 'at: two', '5:12 fields.a.at', 'must be a whole number'],
    ['scale: 0.1', 'scale: 0', '5:33 fields.a.scale', 'must not be 0'],
    ['42 4d', '4', '2:18 framing.sync', 'must be bytes in hex'],
    ['length: 12', 'length: 1', '2:33 framing.length', 'must be at least 2'],
    [', length: 12', '', '2:10 framing', 'where does a frame end'],
    ['at: -2 }', '}', '3:11 checksum', 'needs at'],
    ['type: sum16', 'type: sum17', '3:19 checksum.type', 'Did you mean sum16?'],
    ['type: sum16', 'type: crc, crc: CRC-16/MODBSU', '3:29 checksum.crc', 'Did you mean CRC-16/MODBUS?'],
    ['type: sum16', 'type: crc, crc: modbus', '3:29 checksum.crc', 'Did you mean CRC-16/MODBUS?'],
    ['type: sum16', 'type: crc, crc: crc16_xmodem', '3:29 checksum.crc', 'Did you mean CRC-16/XMODEM?'],
    ['scale: 0.1', 'range: [5, 1]', '5:33 fields.a.range', 'must be the least and then the greatest'],
    ['a * 2', 'aa * 2', '6:15 fields.b.value', 'Did you mean a?'],
    ['a * 2', 'a * ', '6:15 fields.b.value', 'ends too early'],
    ['a * 2', "a == 'x'", '6:15 fields.b.value', 'text can only be compared with text'],
    ['  b:', '  B:', '6:3 fields.B', 'must be a name'],
    ['title: T', 'titel: T', '1:1 titel', 'Did you mean title?'],
    ['title: T', 'title:', '1:7 title', 'must not be empty'],
    ['fields:', 'messages:', '5:8 messages.a', 'no such key'],
    ['type: u16, scale: 0.1', 'type: u16, bits: 9..17', '5:32 fields.a.bits', 'from 0 to 15'],
    ['type: u16, scale: 0.1', 'type: ascii', '5:6 fields.a', 'needs a size'],
    ['type: u16, scale: 0.1', 'type: u16, names: { 70000: x }', '5:35 fields.a.names.70000', 'from 0 to 65535'],
    ['type: u16, scale: 0.1', 'type: u16, repeat: { count: { at: 3 } }', '5:34 fields.a.repeat', 'needs max'],
    ['{ at: 2', '{ at: 2 at: 3', '5:', 'comma is missing'],
  ])('%s → %s', (from, to, place, message) => {
    const problem = broken(from, to);
    expect(problem.at.slice(0, place.length)).toBe(place);
    expect(problem.message).toContain(message);
  });

  test('all problems at once, in words', () => {
    const problems = problemsOf(GOOD.replace('at: 2', 'at: x').replace('sum16', 'sum17').replace('42 4d', 'xx'));
    expect(problems).toHaveLength(3);
    for (const { message } of problems) expect(message).toMatch(/^must be/);
  });

  test('of polls, commands and messages', () => {
    const text = `${GOOD}poll: { a: { send: "42 {adress}", answer: dat } }\ncommands:\n  x: { type: bool, values: { on: "01" } }\n  y: { type: number, send: "01" }\n  z: { type: button, send: "0" }\n`;
    expect(problemsOf(text).map(({ at, message }) => `${at}: ${message}`)).toEqual([
      expect.stringMatching(/^7:\d+ poll.a.answer: there is no message dat. Did you mean data\?/),
      expect.stringMatching(/^7:\d+ poll.a.send: there is no parameter or field adress/),
      expect.stringMatching(/^9:\d+ commands.x.values: of a bool needs on and off/),
      expect.stringMatching(/^10:\d+ commands.y.send: needs \{value\}/),
      expect.stringMatching(/^11:\d+ commands.z.send: must be bytes in hex/),
    ]);
  });

  test('a poll is answered by the only message; of several it must say which', () => {
    const poll = 'poll: { pm: { send: "42 4d" } }\n';
    const [one] = profileOf(GOOD + poll).open().polls;
    const frame = hex('42 4d 00 01 00 00 00 00 00 00 00 90');
    expect(one?.request()?.answers(frame)).toBe(true);
    const several = `title: T
framing: { sync: aa, length: 4 }
messages:
  one: { match: { 1: 01 }, fields: { a: { at: 2, type: u8 } } }
  two: { fields: { b: { at: 2, type: u8 } } }
  asked: { direction: down, fields: {} }
`;
    expect(problemsOf(several + poll)[0]!.message).toBe('needs answer: which of the messages answers it (one, two)');
  });

  test('of registers: what is missing, what only fields of frames have', () => {
    expect(problemsOf(withRegister('unit: V'))[0]).toMatchObject({
      at: expect.stringContaining('modbus.registers.a.at') as string,
      message: expect.stringMatching(/^at is missing: it must be a whole number from 0 to 65535/) as string,
    });
    for (const extra of ['value: b * 2', 'when: b']) {
      expect(problemsOf(withRegister(`at: 0, ${extra}`))[0]!.message).toContain('stands in fields, beside modbus');
    }
  });

  test('a name for two things', () => {
    const text =
      'title: T\nframing: { sync: aa, length: 9 }\nmessages:\n  m: { match: { 1: 01 }, fields: { x: { at: 2, type: u8, unit: V } } }\n  n: { fields: { x: { at: 2, type: u8, unit: A } } }\n';
    expect(problemsOf(text)[0]!.message).toContain('has the unit V in another place');
  });

  test('more than 256 channels', () => {
    const text =
      'title: T\nframing: { sync: aa, length: 900 }\nfields:\n  x: { at: 2, type: u8, repeat: { count: 200 } }\n  y: { at: 2, type: u8, repeat: { count: 100 } }\n';
    expect(problemsOf(text)[0]!.message).toContain('at most 256 channels');
  });
});

test('a problem in one line', () => {
  const loaded = loadProfile({ name: 'x', file: 'x.yaml', text: GOOD.replace('u16', 'u17') });
  expect(!loaded.ok && loaded.problems.map(formatProfileProblem)[0]).toMatch(
    /^x\.yaml:5:21: fields\.a\.type: must be one of/,
  );
});

test('registers of a configuration are judged under their own path', () => {
  const text = 'title: T\nmodbus: { variant: rtu }\n';
  expect(profileOf(text, { power: { at: 10, type: 'f32', unit: 'W' } }).channels).toMatchObject([
    { alias: 'power', type: 'f32' },
  ]);
  const loaded = loadProfile({ name: 'x', text, registers: { power: { at: 10, typ: 'f32' } } });
  expect(!loaded.ok && loaded.problems[0]).toMatchObject({ origin: 'registers', path: 'power.typ', line: undefined });
  const wide = loadProfile({ name: 'x', text, registers: { power: { at: 65_535, type: 'f64' } } });
  expect(!wide.ok && wide.problems[0]).toMatchObject({ origin: 'registers', keys: ['power'] });
});

test('scalars are read as the language has them, not as YAML', () => {
  const profile = profileOf(
    'title: 12\nframing: { sync: 5e, length: 0x0a, tail: 77 }\nfields: { on: { at: 1, type: u8, names: { 0: off, 1: on } } }',
  );
  expect(profile.about.title).toBe('12');
  expect(profile.channels[0]).toMatchObject({ alias: 'on', options: ['off', 'on'] });
});

test('the JSON Schema describes the file', () => {
  expect(profileJsonSchema()).toMatchObject({ type: 'object', required: ['title'], additionalProperties: false });
});
