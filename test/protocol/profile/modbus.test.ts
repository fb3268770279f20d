import { describe, expect, test } from 'vitest';
import type { ProfileInstance } from '../../../protocol/index.ts';
import { drain, hex, itemsOf, problemsOf, profileOf, shown, toHex } from './helpers.ts';

const METER = `title: T
order: big
modbus:
  variant: VARIANT
  address: 1
  max_gap: 4
  registers:
    voltage: { at: 0, table: input, type: u16, scale: 0.1, unit: V }
    current: { at: 1, table: input, type: u32, order: word-swapped, scale: 0.001, unit: A }
    frequency: { at: 7, table: input, type: f32 }
    far: { at: 40, table: input, type: i16 }
    slow: { at: 10, table: input, type: u16, every_s: 60 }
    state: { at: 100, type: u16, names: { 0: off, 1: heat }, writable: true }
    target: { at: 101, type: i16, scale: 0.1, writable: true, range: [5, 30] }
    long: { at: 102, type: u32, writable: true }
    pump: { at: 3, table: coil, writable: true }
    door: { at: 9, table: discrete }
`;

const VARIANTS = ['rtu', 'tcp', 'ascii'] as const;

function meter(variant: string): ProfileInstance {
  return profileOf(METER.replace('VARIANT', variant)).open();
}

const VALUES = {
  voltage: 230.5,
  current: 70.123,
  frequency: 50,
  far: -3,
  slow: 7,
  state: 'heat',
  target: -1.5,
  long: 70_000,
  pump: true,
  door: true,
};

test('registers are read in merged blocks', () => {
  expect(meter('rtu').polls.map(({ name, everyMs }) => [name, everyMs])).toEqual([
    ['input 0', 10_000],
    ['input 40', 10_000],
    ['input 10', 60_000],
    ['holding 100', 10_000],
    ['coil 3', 10_000],
    ['discrete 9', 10_000],
  ]);
  expect(toHex(meter('rtu').polls[0]!.request()!.bytes)).toMatch(/^010400000009/);
  expect(toHex(meter('tcp').polls[0]!.request()!.bytes)).toBe('000100000006010400000009');
  expect(Buffer.from(meter('ascii').polls[0]!.request()!.bytes).toString()).toBe(':010400000009F2\r\n');
});

describe.each(VARIANTS)('%s', (variant) => {
  test('a device and a gateway understand each other, byte by byte', () => {
    const gateway = meter(variant);
    const device = meter(variant);
    const seen: Record<string, unknown> = {};
    for (const poll of gateway.polls) {
      const request = poll.request()!;
      const requests = device.createRequestDecoder();
      const asked = Array.from(request.bytes, (byte) => {
        requests.push(Uint8Array.of(byte));
        return drain(requests);
      }).flat();
      expect(asked).toMatchObject([{ kind: 'frame' }]);
      const answer = device.answer(asked[0]!.bytes, VALUES)!;
      const answers = gateway.createDecoder();
      const frames = Array.from(answer.frames[0]!, (byte) => {
        answers.push(Uint8Array.of(byte));
        return drain(answers);
      }).flat();
      expect(frames).toMatchObject([{ kind: 'frame' }]);
      expect(request.answers(frames[0]!.bytes)).toBe(true);
      const decoded = gateway.decode(frames[0]!.bytes, request);
      if (!decoded.ok) throw new Error(decoded.detail);
      Object.assign(seen, shown(gateway, decoded));
      const { parts, bytes } = gateway.explain(frames[0]!.bytes);
      const covered = new Uint8Array(bytes.length);
      for (const { from, to } of parts) covered.fill(1, from, to);
      expect(covered.includes(0)).toBe(false);
    }
    expect(seen).toEqual({ ...VALUES, 'target!': -1.5, target: undefined });
  });

  test('what can be set', () => {
    const gateway = meter(variant);
    const device = meter(variant);
    for (const [alias, value] of [
      ['state', 'off'],
      ['target', 21.5],
      ['long', 100_000],
      ['pump', true],
    ] as const) {
      const command = gateway.command(alias, value);
      if (!command.ok) throw new Error(command.detail);
      const answer = device.answer(command.request.bytes, VALUES)!;
      expect(answer.set).toEqual({ [alias]: value });
      expect(command.request.answers(answer.frames[0]!)).toBe(true);
      expect(gateway.decode(answer.frames[0]!, command.request)).toMatchObject({ ok: true, samples: [] });
    }
    expect(gateway.command('target', 31)).toMatchObject({ code: 'bad-value' });
    expect(gateway.command('voltage', 1)).toMatchObject({ code: 'no-command' });
  });
});

describe('answers', () => {
  test('to another request are none', () => {
    const instance = meter('rtu');
    const [first, second] = instance.polls.map((poll) => poll.request()!);
    const answer = instance.encode('input 0', VALUES);
    expect(first!.answers(answer)).toBe(true);
    expect(second!.answers(answer)).toBe(false);
    expect(instance.decode(answer, second)).toMatchObject({ ok: false, code: 'unexpected' });
    expect(instance.decode(answer)).toMatchObject({ ok: false, code: 'unexpected' });
    expect(profileOf(METER.replace('VARIANT', 'rtu')).open({ address: 2 }).polls[0]!.request()!.answers(answer)).toBe(
      false,
    );
  });

  test('over TCP belong to their transaction', () => {
    const instance = meter('tcp');
    const first = instance.polls[0]!.request()!;
    const again = instance.polls[0]!.request()!;
    const answer = meter('tcp').answer(first.bytes, VALUES)!.frames[0]!;
    expect([first.answers(answer), again.answers(answer)]).toEqual([true, false]);
  });

  test('that are exceptions are told, and a refused block is read in halves', () => {
    const instance = meter('rtu');
    const poll = instance.polls[0]!;
    const request = poll.request()!;
    const [frame] = itemsOf(instance, hex('018402c2c1'));
    expect(request.answers(frame!.bytes)).toBe(true);
    expect(instance.decode(frame!.bytes, request)).toMatchObject({ ok: false, code: 'exception', exception: 2 });
    expect(poll.refused!(6)).toBe(false);
    expect(poll.refused!(2)).toBe(true);
    expect(instance.polls.map(({ name }) => name).slice(0, 2)).toEqual(['input 0', 'input 7']);
    expect(instance.polls[1]!.refused!(2)).toBe(true);
    expect(instance.polls.map(({ name }) => name)).not.toContain('input 7');
  });

  test('with a wrong CRC are skipped, and what is computed is told', () => {
    const instance = meter('rtu');
    const good = instance.encode('input 40', VALUES);
    const bad = Uint8Array.from(good);
    bad[3]! ^= 1;
    const decoder = instance.createDecoder();
    decoder.push(Uint8Array.from([...bad, ...good]));
    // Bytes of the broken answer look like the beginning of a longer one; silence settles it.
    decoder.expire();
    const items = drain(decoder);
    expect(items.filter(({ kind }) => kind === 'frame').map(({ bytes }) => toHex(bytes))).toEqual([toHex(good)]);
    expect(instance.failedChecksum(bad)).toMatchObject({ received: toHex(Uint8Array.of(good.at(-1)!, good.at(-2)!)) });
  });
});

test('a device refuses what it does not have', () => {
  const device = meter('tcp');
  expect(toHex(device.answer(hex('0001 0000 0006 01 04 0200 0001'), {})!.frames[0]!)).toBe('000100000003018402');
  expect(toHex(device.answer(hex('0001 0000 0006 01 07 0200 0001'), {})!.frames[0]!)).toBe('000100000003018701');
  expect(device.answer(hex('0001 0000 0006 02 04 0000 0001'), {})).toBeUndefined();
});

test('a function of the maker’s own, answered by its echo', () => {
  const text =
    'title: T\nmodbus: { variant: rtu, registers: { x: { at: 0, table: input } } }\ncommands: { reset: { type: button, send: "{address} 42 {checksum}" } }';
  const gateway = profileOf(text).open({ address: 2 });
  const device = profileOf(text).open({ address: 2 });
  const command = gateway.command('reset', undefined);
  if (!command.ok) throw new Error(command.detail);
  expect(toHex(command.request.bytes)).toBe('024280e1');
  const answer = device.answer(command.request.bytes, {})!;
  expect(itemsOf(gateway, answer.frames[0]!)).toMatchObject([{ kind: 'frame' }]);
  expect(command.request.answers(answer.frames[0]!)).toBe(true);
});

/** What each answer tells, poll by poll. */
function told(instance: ProfileInstance, values: Record<string, number | string>): Record<string, unknown>[] {
  const { profile } = instance;
  const device = profile.open();
  return instance.polls.map((poll) => {
    const request = poll.request()!;
    const [frame] = device.answer(request.bytes, values)!.frames;
    const decoded = instance.decode(frame!, request);
    if (!decoded.ok) throw new Error(decoded.detail);
    return Object.fromEntries(
      decoded.samples
        .flatMap((sample) => sample.values)
        .map(({ channel, value }) => [profile.channels[channel]!.alias, value]),
    );
  });
}

describe('fields computed from registers', () => {
  const SIGNED = `title: T
modbus:
  max_gap: 0
  registers:
    volt: { at: 0, type: u16, scale: 0.1 }
    amp: { at: 50, type: u16, scale: 0.01, none: 0xffff }
    sign: { at: 51, type: u16, hidden: true }
    other: { at: 90, type: u16 }
    model: { at: 0, table: input, type: ascii, size: 4 }
fields:
  power: { value: "(sign == 1 ? -1 : 1) * volt * amp", unit: W, precision: 1 }
  double: { value: power * 2, when: volt > 100 }
  large: { value: "model == 'XL01'" }
`;

  test('come with the answers that hold one of them, and remember the registers of other answers', () => {
    const profile = profileOf(SIGNED);
    expect(profile.channels.map(({ alias }) => alias)).toEqual([
      'volt',
      'amp',
      'other',
      'model',
      'power',
      'double',
      'large',
    ]);
    const instance = profile.open();
    const values = { volt: 230, amp: 2, sign: 1, other: 5, model: 'XL01' };
    expect(told(instance, values)).toEqual([
      { volt: 2300 },
      { amp: 200, power: -460, double: -920 },
      { other: 5 },
      { model: 'XL01', large: true },
    ]);
    expect(told(instance, { ...values, volt: 50 })).toEqual([
      { volt: 500, power: -100 },
      { amp: 200, power: -100 },
      { other: 5 },
      { model: 'XL01', large: true },
    ]);
  });

  test('have no value when a register has none', () => {
    const instance = profileOf(SIGNED).open();
    expect(told(instance, { volt: 230, amp: 655.35, sign: 0, other: 1, model: 'AB' })[1]).toEqual({});
  });

  test.each([
    ['{ value: power * 2', '{ value: powr * 2', 'Did you mean power?'],
    ['{ value: power * 2, when: volt > 100 }', '{ at: 5, type: u8 }', 'needs value: beside modbus fields are computed'],
    ['  double:', '  other:', 'there is a register of this name'],
    ['hidden: true', 'hidden: true, writable: true', 'what can be set is a channel'],
  ])('%s → %s', (from, to, message) => {
    expect(SIGNED).toContain(from);
    expect(problemsOf(SIGNED.replace(from, to))[0]!.message).toContain(message);
  });
});
