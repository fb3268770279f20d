import { describe, expect, test } from 'vitest';
import { drain, hex, profileOf, toHex } from './helpers.ts';
import type { ProfileInstance } from '../../../protocol/index.ts';

const BATTERY = `title: T
framing: { sync: dd, length: { at: 3, plus: 7 }, tail: 77 }
checksum: { type: sum16, complement: twos, from: 2, to: -3, at: -3 }
parameters: { host: { type: u8, default: 0xa5 }, name: { type: text, default: ab } }
messages:
  basic: { match: { 1: 03, 2: 00 }, fields: { serial: { at: 4, type: u16, hidden: true }, limit: { at: 6, type: u16, scale: 0.1 }, on: { at: 8, bit: 0 }, mode: { at: 9, type: u8, names: { 0: auto, 1: heat } } } }
  ack: { match: { 1: e1 }, fields: {} }
  hello: { match: { 1: 01 }, reply: "dd 01 00 02 {serial:u16le} {checksum} 77", reply_after: durable, fields: { serial: { at: 4, type: u16, hidden: true } } }
init:
  - { send: "01 {name} 02", wait_ms: 50 }
poll:
  basic: { send: "dd {host} 03 00 {checksum} 77", answer: basic, where: "limit > 1", every_s: 5, timeout_ms: 300, retries: 2 }
  second: { send: "dd 5a 07 {length} {serial:u16} {checksum} 77", answer: [basic, ack] }
commands:
  on: { type: bool, values: { on: "dd 5a e1 02 00 01 {checksum} 77", off: "dd 5a e1 02 00 00 {checksum} 77" }, answer: ack, class: switch }
  limit: { type: number, send: "dd 5a 10 02 {value:u16} {checksum} 77", scale: 0.1, range: [0, 50], answer: ack }
  chosen: { type: option, send: "dd 5a 11 01 {value:u8} {checksum} 77", raw: { auto: 0, heat: 1 }, shows: mode, answer: ack }
  restart: { type: button, send: "00" }
`;

function bytesOf(instance: ProfileInstance, alias: string, value?: boolean | number | string): string {
  const result = instance.command(alias, value);
  return result.ok ? toHex(result.request.bytes) : result.code;
}

describe('requests', () => {
  test('are rendered with parameters and checksum', () => {
    const instance = profileOf(BATTERY).open();
    expect(toHex(instance.polls[0]!.request()!.bytes)).toBe('dda50300fffd77');
    expect(toHex(instance.init[0]!.request.bytes)).toBe('01616202');
    expect(instance.init[0]).toMatchObject({ waitMs: 50, request: { silent: true, name: 'init 1' } });
    expect(toHex(profileOf(BATTERY).open({ host: 1, name: 'x' }).polls[0]!.request()!.bytes)).toBe('dd010300fffd77');
    expect(instance.polls[0]!.request()).toMatchObject({
      name: 'basic',
      timeoutMs: 300,
      retries: 2,
      frames: 1,
      silent: false,
    });
  });

  test('wait until a field that they need has come', () => {
    const instance = profileOf(BATTERY).open();
    expect(instance.polls[1]!.request()).toBeUndefined();
    instance.decode(instance.encode('basic', { serial: 0x1234 }));
    expect(toHex(instance.polls[1]!.request()!.bytes)).toBe('dd5a07021234ffb177');
  });

  test('know their answer by message and condition', () => {
    const instance = profileOf(BATTERY).open();
    const request = instance.polls[0]!.request()!;
    expect(request.answers(instance.encode('basic', { limit: 1.1 }))).toBe(true);
    expect(request.answers(instance.encode('basic', { limit: 0.5 }))).toBe(false);
    expect(request.answers(instance.encode('ack', {}))).toBe(false);
    expect(request.answers(hex('00'))).toBe(false);
  });

  test('a reply is sent with what the frame said', () => {
    const instance = profileOf(BATTERY).open();
    const decoded = instance.decode(instance.encode('hello', { serial: 0x0102 }));
    expect(decoded.ok && decoded.replies.map(({ bytes, afterDurable }) => [toHex(bytes), afterDurable])).toEqual([
      ['dd0100020201fffb77', true],
    ]);
  });
});

describe('commands', () => {
  test('become bytes', () => {
    const instance = profileOf(BATTERY).open();
    expect(bytesOf(instance, 'on', true)).toBe(bytesOf(instance, 'on', 'ON'));
    expect(bytesOf(instance, 'on', false)).toContain('dd5ae1020000');
    expect(bytesOf(instance, 'limit', 12.3)).toContain('dd5a1002007b');
    expect(bytesOf(instance, 'mode', 'heat')).toContain('dd5a110101');
    expect(bytesOf(instance, 'restart')).toBe('00');
  });

  test.each([
    ['nothing', 1, 'no-command'],
    ['limit', 51, 'bad-value'],
    ['limit', 'x', 'bad-value'],
    ['limit', undefined, 'bad-value'],
    ['chosen', 'cool', 'bad-value'],
    ['on', 'maybe', 'bad-value'],
  ])('%s %s is refused', (alias, value, code) => {
    expect(profileOf(BATTERY).open().command(alias, value)).toMatchObject({ ok: false, code });
  });

  test('are shown by fields, or have channels of their own', () => {
    const { commands, channels } = profileOf(BATTERY);
    expect(commands.map(({ alias, shows, kind }) => [alias, shows, kind])).toEqual([
      ['on', 'on', 'bool'],
      ['limit', 'limit', 'number'],
      ['chosen', 'mode', 'option'],
      ['restart', undefined, 'button'],
    ]);
    expect(
      channels
        .filter(({ command }) => command !== undefined)
        .map(({ alias, command, readable }) => [alias, command, readable]),
    ).toEqual([
      ['limit', 'limit', true],
      ['on', 'on', true],
      ['mode', 'chosen', true],
      ['restart', 'restart', false],
    ]);
  });
});

describe('the device end', () => {
  test('answers polls and carries out commands', () => {
    const gateway = profileOf(BATTERY).open();
    const device = profileOf(BATTERY).open();
    const decoder = device.createRequestDecoder();
    const off = gateway.command('limit', 20.5);
    const poll = gateway.polls[0]!.request()!;
    decoder.push(Uint8Array.from([0x00, 0xdd, ...poll.bytes, ...(off.ok ? off.request.bytes : []), 0xff]));
    const frames = drain(decoder).flatMap((item) => (item.kind === 'frame' ? [item.bytes] : []));
    const [first, second] = frames
      .filter(({ length }) => length > 1)
      .map((frame) => device.answer(frame, { limit: 3, mode: 'heat' }));
    expect(first).toMatchObject({ name: 'basic', messages: ['basic'], set: {} });
    expect(gateway.decode(first!.frames[0]!)).toMatchObject({ ok: true, message: 'basic' });
    expect(second).toMatchObject({ name: 'limit', messages: ['ack'], set: { limit: 20.5 } });
    expect(device.answer(hex('dda50300fffc77'), {})).toBeUndefined();
  });
});

describe('parameters', () => {
  const METER =
    'title: T\npreamble: fe\nframing: { sync: 68, length: 11 }\nchecksum: { type: sum8, at: -1 }\nparameters: { address: { type: hex, size: 6, order: little }, speed: { type: u8, default: 3, range: [1, 5] } }\nfields: { meter: { at: 1, type: hex, size: 6, order: little }, x: { at: 7, type: u8 } }\npoll: { x: { send: "fe fe 68 {address} {speed} 00 {checksum}", answer: data, where: meter == address } }\n';

  test('are checked', () => {
    const profile = profileOf(METER);
    expect(profile.checkParameters({})).toMatchObject([{ name: 'address' }]);
    expect(profile.checkParameters({ address: '12', speed: 9, other: 1 }).map(({ name }) => name)).toEqual([
      'other',
      'address',
      'speed',
    ]);
    expect(profile.checkParameters({ address: '010203040506' })).toEqual([]);
    expect(() => profile.open({})).toThrow(RangeError);
    expect(profile.parameters).toMatchObject([
      { name: 'address', kind: 'bytes' },
      { name: 'speed', default: 3, range: [1, 5] },
    ]);
  });

  test('bytes go in the order of the wire, and the checksum leaves out the preamble', () => {
    const instance = profileOf(METER).open({ address: '010203040506' });
    const request = instance.polls[0]!.request()!;
    expect(toHex(request.bytes)).toBe('fefe68060504030201030080');
    expect(request.answers(instance.encode('data', { meter: '010203040506' }))).toBe(true);
    expect(request.answers(instance.encode('data', { meter: '010203040507' }))).toBe(false);
  });
});

function stuffed(send: string): string {
  return `title: T\nframing: { escape: { flag: 7e, escape: 7d, xor: "20" } }\nchecksum: { type: sum8, complement: ones, from: 0, to: -1, at: -1 }\nfields: { x: { at: 0, type: u8 } }\npoll: { x: { send: "${send}", answer: data } }\n`;
}

test('requests of a stuffed framing may have their flags, or not', () => {
  const sent = ['7e 00 03 00 fc 7e', '00 03 00 {checksum}', '7e 00 03 00 {checksum} 7e'].map((send) =>
    toHex(profileOf(stuffed(send)).open().polls[0]!.request()!.bytes),
  );
  expect(sent).toEqual(['7e000300fc7e', '7e000300fc7e', '7e000300fc7e']);
});
