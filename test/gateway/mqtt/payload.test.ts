import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DevicePayload } from '../../../gateway/mqtt/payload.ts';
import type { Quality, RawValue, ValueType } from '../../../protocol/index.ts';
import { channel, record, sample, testDevice, value } from './fixtures.ts';

describe('state JSON', () => {
  it('has all channels in order, then ts and id', () => {
    const device = testDevice([channel(2, 'humidity', { scale: -1 }), channel(1, 'temperature', { scale: -1 })]);
    const payload = new DevicePayload(device);
    const one = sample(1_000, value(2, 'u16', 481), value(1, 'i16', -213));
    payload.apply(one, 1_000);
    expect(payload.state(record(device, 17, [one]), 1_000)).toBe(
      '{"temperature":-21.3,"humidity":48.1,"ts":1000,"id":"a1b2c3d4e5f60718-4-17"}',
    );
  });

  it('keeps the latest value of a channel that the sample does not have, and never an older one', () => {
    const device = testDevice([channel(1, 'a'), channel(2, 'b')]);
    const payload = new DevicePayload(device);
    payload.apply(sample(1_000, value(1, 'u8', 1), value(2, 'u8', 2)), 1_000);
    payload.apply(sample(2_000, value(1, 'u8', 3)), 2_000);
    const old = sample(1_500, value(1, 'u8', 9), value(2, 'u8', 8));
    payload.apply(old, 1_500);
    expect(JSON.parse(payload.state(record(device, 1, [old]), 2_000))).toMatchObject({ a: 3, b: 8 });
    payload.rewind(1_500);
    payload.apply(old, 1_500);
    expect(JSON.parse(payload.state(record(device, 1, [old]), 1_500))).toMatchObject({ a: 9, b: 8, ts: 1_500 });
  });

  it.each<[ValueType, RawValue, Quality, string]>([
    ['u64', 18446744073709551615n, 'good', '"v":18446744073709551615,'],
    ['f32', Math.fround(21.3), 'good', '"v":21.3,'],
    ['f64', Number.NaN, 'good', '"v":null,"v_quality":"fault",'],
    ['f32', Number.NEGATIVE_INFINITY, 'stale', '"v":null,"v_quality":"fault",'],
    ['i16', 7, 'fault', '"v":null,"v_quality":"fault",'],
    ['i16', 7, 'stale', '"v":7,"v_quality":"stale",'],
    ['i16', 7, 'out_of_range', '"v":7,"v_quality":"out_of_range",'],
    ['bool', true, 'good', '"v":true,'],
    ['string', 'a"b\n\u2028é', 'good', `"v":${JSON.stringify('a"b\n\u2028é')},`],
    ['bytes', Uint8Array.of(0, 0xab, 0xff), 'good', '"v":"00abff",'],
  ])('writes %s %s (%s)', (type, raw, quality, expected) => {
    const device = testDevice([channel(1, 'v')]);
    const payload = new DevicePayload(device);
    const one = sample(5, value(1, type, raw, quality));
    expect(payload.history(record(device, 1, [one]), one, undefined)).toBe(
      `{${expected}"ts":5,"id":"${device.id}-4-1"}`,
    );
  });

  it('shows undeclared channels under a name that is free', () => {
    const device = testDevice([channel(1, 'ch9')]);
    const payload = new DevicePayload(device);
    const one = sample(5, value(9, 'u8', 1), value(1, 'u8', 2));
    payload.apply(one, 5);
    expect(JSON.parse(payload.state(record(device, 1, [one]), 5))).toMatchObject({ ch9: 2, ch9_channel_9: 1 });
  });

  it('follows a change of the channels', () => {
    const device = testDevice([channel(1, 'a'), channel(2, 'b')]);
    const payload = new DevicePayload(device);
    const one = sample(5, value(1, 'u8', 1), value(2, 'u8', 2));
    payload.apply(one, 5);
    device.channels.clear();
    device.channels.set(1, channel(1, 'renamed')).set(2, channel(2, 'b'));
    device.channelsVersion++;
    expect(payload.state(record(device, 1, [one]), 5)).toBe(`{"b":2,"ts":5,"id":"${device.id}-4-1"}`);
  });

  it('numbers the older samples of a record and takes the last of repeated channels', () => {
    const device = testDevice([channel(1, 'a')]);
    const payload = new DevicePayload(device);
    const one = sample(5, value(1, 'u8', 1), value(1, 'u8', 2));
    expect(payload.history(record(device, 1, [one, one]), one, 0)).toBe(`{"a":2,"ts":5,"id":"${device.id}-4-1-0"}`);
  });

  it('is valid JSON whatever the values are', () => {
    const anyValue = fc.oneof(
      fc.double().map((raw) => ['f64', raw] as const),
      fc.float().map((raw) => ['f32', raw] as const),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map((raw) => ['i64', raw] as const),
      fc.integer().map((raw) => ['i32', raw] as const),
      fc.string({ unit: 'binary' }).map((raw) => ['string', raw] as const),
      fc.uint8Array().map((raw) => ['bytes', raw] as const),
      fc.boolean().map((raw) => ['bool', raw] as const),
    );
    const quality = fc.constantFrom<Quality>('good', 'stale', 'fault', 'out_of_range');
    const many = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), anyValue, quality), {
      minLength: 1,
      maxLength: 63,
    });
    fc.assert(
      fc.property(many, fc.integer({ min: -128, max: 127 }), (values, scale) => {
        const device = testDevice([channel(1, 'one', { scale }), channel(200, 'two', { scale })]);
        const payload = new DevicePayload(device);
        const one = sample(5, ...values.map(([number, [type, raw], how]) => value(number, type, raw, how)));
        payload.apply(one, 5);
        const state = JSON.parse(payload.state(record(device, 1, [one]), 5)) as Record<string, unknown>;
        const history = JSON.parse(payload.history(record(device, 1, [one]), one, undefined)) as Record<
          string,
          unknown
        >;
        expect(new Set(Object.keys(history))).toEqual(new Set(Object.keys(state)));
        for (const [key, shown] of Object.entries(history)) expect(state[key]).toEqual(shown);
      }),
    );
  });
});
