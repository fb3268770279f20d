import { expect, test } from 'vitest';
import { profileDoubts } from '../../gateway/profiles/doubts.ts';
import { findProfile, shippedNames } from '../../gateway/profiles/load.ts';
import { loadProfile } from '../../protocol/index.ts';

function doubts(text: string): string[] {
  const loaded = loadProfile({ name: 'x', text });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('; '));
  return profileDoubts(loaded.profile);
}

function field(keys: string): string[] {
  return doubts(`title: T\nframing: { sync: aa, length: 4 }\nfields: { a: { at: 1, ${keys} } }\n`);
}

test.each([
  ['type: u8, unit: C, class: temperature', /^a has the unit C, .* class temperature; what fits: °C, °F, K\./],
  ['type: u8, unit: kWh, class: temperature', /^a has the unit kWh/],
  ['type: u8, class: humidity', /^a has no unit, .* what fits: %\./],
  ['type: u8, unit: V, class: power_factor', /what fits: no unit, %\./],
])('%s', (keys, wanted) => {
  expect(field(keys)).toEqual([expect.stringMatching(wanted)]);
});

test.each([
  'type: u8, unit: °C, class: temperature',
  'type: u8, unit: µg/m³, class: pm25',
  'type: u8, unit: μg/m³, class: pm25',
  'type: u8, class: power_factor',
  'bit: 0, class: battery',
  'type: u8, unit: furlong',
])('%s is beyond doubt', (keys) => {
  expect(field(keys)).toEqual([]);
});

test.each([
  ['holding', 40_001, /what a data sheet calls 40001 is at: 0 of holding/],
  ['holding', 40_013, /what a data sheet calls 40013 is at: 12 of holding/],
  ['input', 30_002, /what a data sheet calls 30002 is at: 1 of input/],
])('an address of a data sheet: %s %i', (table, at, wanted) => {
  const text = `title: T\nmodbus: { registers: { a: { at: ${at}, table: ${table} } } }\n`;
  expect(doubts(text)).toEqual([expect.stringMatching(wanted)]);
  expect(doubts(text.replace(String(at), '300'))).toEqual([]);
});

test('there is no doubt about what is shipped', () => {
  for (const name of shippedNames()) {
    const found = findProfile(name, '.');
    expect(found.ok && profileDoubts(found.profile), name).toEqual([]);
  }
});
