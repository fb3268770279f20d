import { describe, expect, test } from 'vitest';
import { MODELS } from '../../device-sim/models/models.ts';
import type { Model } from '../../device-sim/models/model.ts';
import { Random } from '../../device-sim/random.ts';
import { type Value, decodeSchema, encodeSchemaParts, fitsType } from '../../protocol/index.ts';

function take(model: Model, seed: number, readings = 200, periodMs = 60_000): Value[][] {
  const sensor = model.create(new Random(seed));
  return Array.from({ length: readings }, (_, n) => sensor.read(n * periodMs));
}

describe.each(MODELS.map((model) => [model.name, model] as const))('%s', (_name, model) => {
  test('equal seeds give equal values, others do not', () => {
    expect(take(model, 5)).toEqual(take(model, 5));
    expect([take(model, 6), take(model, 7), take(model, 8)]).not.toEqual([
      take(model, 5),
      take(model, 5),
      take(model, 5),
    ]);
  });

  test('every value fits the channel that was declared for it', () => {
    const channels = new Map(model.schema.channels.map((channel) => [channel.number, channel]));
    for (const values of take(model, 1)) {
      for (const { channel, type, value } of values) {
        expect(type).toBe(channels.get(channel)?.type);
        expect(fitsType(type, value)).toBe(true);
      }
    }
  });

  test('its schema survives the way over the wire', () => {
    expect(decodeSchema(encodeSchemaParts(model.schema, 112))).toEqual(model.schema);
  });

  test('totals never fall', () => {
    for (const { number, totalIncreasing } of model.schema.channels) {
      if (!totalIncreasing) continue;
      const totals = take(model, 2).map((values) =>
        BigInt(values.find(({ channel }) => channel === number)?.value as number | bigint),
      );
      for (const [n, total] of totals.entries()) if (n > 0) expect(total >= totals[n - 1]!).toBe(true);
    }
  });
});

test('values move slowly: a room does not change by degrees in a second', () => {
  const model = MODELS.find(({ name }) => name === 'thermometer')!;
  const temperatures = take(model, 9, 500, 1000).map((values) => values[0]!.value as number);
  const steps = temperatures.slice(1).map((value, n) => Math.abs(value - temperatures[n]!));
  expect(Math.max(...steps)).toBeLessThan(50);
  expect(new Set(temperatures).size).toBeGreaterThan(10);
});

test('an actuator takes what its channels take and refuses the rest', () => {
  const sensor = MODELS.find(({ name }) => name === 'actuator')!.create(new Random(1));
  const write = (channel: number, type: Value['type'], value: Value['value']) =>
    sensor.write?.({ channel, type, quality: 'good', value });
  expect(write(1, 'bool', true)).toBe('done');
  expect(write(2, 'u64', 42n)).toBe('done');
  expect(sensor.read(0).map(({ value }) => value)).toEqual([true, 42]);
  expect(write(1, 'u8', 1)).toBe('bad_value');
  expect(write(2, 'u8', 101)).toBe('bad_value');
  expect(write(2, 'f32', 1.5)).toBe('bad_value');
  expect(write(3, 'u8', 1)).toBe('unknown_channel');
  expect(sensor.read(0).map(({ value }) => value)).toEqual([true, 42]);
});
