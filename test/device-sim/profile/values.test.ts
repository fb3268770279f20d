import { describe, expect, test } from 'vitest';
import { PlausibleValues } from '../../../device-sim/profile/values.ts';
import { Random } from '../../../device-sim/random.ts';
import type { Profile, ProfileField, ProfileMessage } from '../../../protocol/index.ts';

const NUMBER: ProfileField = {
  name: 'x',
  hidden: false,
  kind: 'number',
  limits: [0, 65_535],
  step: 1,
  range: undefined,
  options: undefined,
  maxBytes: undefined,
  text: undefined,
  index: undefined,
  optional: false,
  class: 'none',
  unit: '',
  totalIncreasing: false,
};

/** Only its messages matter here. */
function withFields(...messages: ProfileField[][]): Profile {
  const all: ProfileMessage[] = messages.map((fields, index) => ({ name: `m${index}`, direction: 'up', fields }));
  return { messages: all } as unknown as Profile;
}

function series(profile: Profile, name: string, count = 200, fixed = {}): unknown[] {
  const values = new PlausibleValues(profile, new Random(1), fixed);
  return Array.from({ length: count }, (_, index) => values.at(index * 1_000)[name]);
}

describe('numbers', () => {
  test.each([
    ['usual for its class', { class: 'temperature', limits: [-3276.8, 3276.7], step: 0.1 }, 18, 26],
    ['as the file says', { range: [-40, 125], limits: [-3276.8, 3276.7], step: 0.1, class: 'temperature' }, -40, 125],
    ['within what fits', { limits: [0, 25.5], step: 0.1, class: 'humidity' }, 0, 25.5],
    ['also where the usual does not fit at all', { limits: [200, 455], step: 1, class: 'humidity' }, 200, 264],
    ['with an offset below zero', { limits: [-3000, 3553.5], step: 0.1, class: 'current' }, 0, 10],
  ] as const)('%s', (_, given, low, high) => {
    const field = { ...NUMBER, ...given } as unknown as ProfileField;
    const numbers = series(withFields([field]), 'x') as number[];
    for (const number of numbers) {
      expect(number).toBeGreaterThanOrEqual(low);
      expect(number).toBeLessThanOrEqual(high);
      const steps = (number - field.limits![0]) / field.step!;
      expect(Math.abs(steps - Math.round(steps))).toBeLessThan(1e-6);
      expect(String(number).length).toBeLessThan(9);
    }
    expect(new Set(numbers).size).toBeGreaterThan(3);
  });

  test('floats survive four bytes', () => {
    for (const number of series(
      withFields([{ ...NUMBER, step: undefined, limits: [-3.4e38, 3.4e38] }]),
      'x',
    ) as number[]) {
      expect(Math.fround(number)).toBe(number);
    }
  });

  test('numbers in text are as short as they are written', () => {
    const field: ProfileField = { ...NUMBER, step: undefined, limits: [-999_999_999_999, 999_999_999_999] };
    for (const number of series(withFields([field]), 'x') as number[])
      expect(String(number)).toMatch(/^\d+(\.\d\d?)?$/);
  });

  test('a meter only grows', () => {
    const numbers = series(withFields([{ ...NUMBER, totalIncreasing: true, step: 0.01 }]), 'x') as number[];
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.at(-1)).toBeGreaterThan(numbers[0]!);
  });

  test('of one name in two messages: what fits both', () => {
    const profile = withFields(
      [{ ...NUMBER, limits: [-2_147_483.648, 2_147_483.647], step: 0.001 }],
      [{ ...NUMBER, limits: [40, 60.5], step: 0.5 }],
    );
    for (const number of series(profile, 'x') as number[]) {
      expect(number).toBeGreaterThanOrEqual(40);
      expect(number).toBeLessThanOrEqual(60.5);
      expect(number % 0.5).toBe(0);
    }
  });
});

test('states, options, flags and text are of those that fit', () => {
  const profile = withFields([
    { ...NUMBER, name: 'on', kind: 'bool' },
    { ...NUMBER, name: 'mode', kind: 'option', options: ['idle', 'busy', 'other'] },
    { ...NUMBER, name: 'alarms', kind: 'flags', options: ['hot', 'cold'] },
    { ...NUMBER, name: 'id', kind: 'text', text: 'hex', maxBytes: 3 },
    { ...NUMBER, name: 'digits', kind: 'text', text: 'digits', maxBytes: 15 },
    { ...NUMBER, name: 'model', kind: 'text', text: 'any', maxBytes: 5 },
  ]);
  expect(new Set(series(profile, 'on'))).toEqual(new Set([true, false]));
  expect(new Set(series(profile, 'mode'))).toEqual(new Set(['idle', 'busy']));
  for (const flag of series(profile, 'alarms')) expect(['', 'hot', 'cold']).toContain(flag);
  expect(series(profile, 'id', 1)[0]).toMatch(/^[0-9a-f]{6}$/);
  expect(series(profile, 'digits', 1)[0]).toMatch(/^\d{15}$/);
  expect(String(series(profile, 'model', 1)[0]).length).toBe(5);
});

test('of a long repeat a few are there', () => {
  const cells = Array.from({ length: 20 }, (_, index) => ({ ...NUMBER, name: `cell_${index}`, index, optional: true }));
  const values = new PlausibleValues(withFields(cells), new Random(1), {});
  expect(Object.keys(values.at(0))).toEqual(['cell_0', 'cell_1', 'cell_2', 'cell_3']);
});

test('what is given, and what a command sets, holds still', () => {
  const profile = withFields([NUMBER, { ...NUMBER, name: 'relay', kind: 'bool' }]);
  const values = new PlausibleValues(profile, new Random(1), { x: 5 });
  expect(values.at(0)['x']).toBe(5);
  values.set({ relay: true });
  for (let atMs = 0; atMs < 100_000; atMs += 1_000) expect(values.at(atMs)).toEqual({ x: 5, relay: true });
});

test('equal seeds, equal values', () => {
  const profile = withFields([NUMBER]);
  expect(series(profile, 'x')).toEqual(series(profile, 'x'));
});
