import { describe, expect, test } from 'vitest';
import { airQuality } from '../../device-sim/models/air-quality.ts';
import { thermometer } from '../../device-sim/models/thermometer.ts';
import { ExpectedFleet } from './expected-fleet.ts';
import { Oracle } from './oracle.ts';

const fleet = (): ExpectedFleet =>
  new ExpectedFleet({ seed: 7, devices: 2, ratePerS: 10, models: [thermometer, airQuality] });

/** The payload as a faultless gateway publishes it. */
function payloadOf(expected: ExpectedFleet, device: string, seq: number, change: Record<string, unknown> = {}): string {
  const values = [...expected.reading(device, seq)!].map(([name, { value, step }]) => [
    name,
    Number(value.toFixed(Math.max(0, -Math.log10(step)))),
  ]);
  return JSON.stringify({ ...Object.fromEntries(values), ts: 1_000 + seq, id: `${device}-3-${seq}`, ...change });
}

/** A run of five readings of each device, acknowledged and received in order. */
function goodRun(skip: (device: number, seq: number) => boolean = () => false) {
  const expected = fleet();
  const oracle = new Oracle(expected);
  for (const [index, device] of expected.devices.entries()) {
    for (let seq = 1; seq <= 5; seq++) {
      oracle.acknowledged(device, '3', seq);
      if (!skip(index, seq)) oracle.received(`b/${device}`, payloadOf(expected, device, seq));
    }
  }
  return { oracle, expected, device: expected.devices[0]! };
}

const clean = { missing: 0, foreign: 0, changed: 0, corrupt: 0, disordered: 0, duplicates: 0, unacknowledged: 0 };

describe('Oracle', () => {
  test('finds nothing in a good run', () => {
    const { oracle } = goodRun();
    expect(oracle.verdict()).toMatchObject({ ...clean, acknowledged: 10, received: 10, examples: [] });
    expect(oracle.outstanding).toBe(0);
  });

  test('notices a lost reading and names it', () => {
    const { oracle, expected } = goodRun((device, seq) => device === 1 && seq === 3);
    const verdict = oracle.verdict();
    expect(verdict).toMatchObject({ ...clean, missing: 1 });
    expect(verdict.examples).toEqual([`missing: ${expected.devices[1]}-3-3`]);
  });

  test('takes a reading that comes late for received, whichever is told first', () => {
    const { oracle, expected, device } = goodRun((index, seq) => index === 0 && seq === 5);
    expect(oracle.outstanding).toBe(1);
    oracle.received(`b/${device}/history`, payloadOf(expected, device, 5));
    oracle.received(`b/${device}`, payloadOf(expected, device, 6));
    expect(oracle.verdict()).toMatchObject({ ...clean, unacknowledged: 1 });
    oracle.acknowledged(device, '3', 6);
    expect(oracle.verdict()).toMatchObject(clean);
  });

  test('counts a copy on either topic, and notices one that differs', () => {
    const { oracle, expected, device } = goodRun();
    oracle.received(`b/${device}`, payloadOf(expected, device, 5));
    oracle.received(`b/${device}/history`, payloadOf(expected, device, 4));
    expect(oracle.verdict()).toMatchObject({ ...clean, duplicates: 2 });
    oracle.received(`b/${device}`, payloadOf(expected, device, 2, { ts: 1 }));
    expect(oracle.verdict()).toMatchObject({ ...clean, duplicates: 3, changed: 1 });
  });

  test('notices a changed value at the first reception', () => {
    const { oracle, expected, device } = goodRun();
    const { value, step } = expected.reading(device, 6)!.get('temperature')!;
    oracle.received(`b/${device}`, payloadOf(expected, device, 6, { temperature: value + step }));
    expect(oracle.verdict()).toMatchObject({ ...clean, corrupt: 1, unacknowledged: 1 });
  });

  test('notices swapped first receptions, but only on one topic', () => {
    const { oracle, expected, device } = goodRun();
    oracle.received(`b/${device}`, payloadOf(expected, device, 8));
    oracle.received(`b/${device}/history`, payloadOf(expected, device, 6));
    expect(oracle.verdict().disordered).toBe(0);
    oracle.received(`b/${device}`, payloadOf(expected, device, 7));
    expect(oracle.verdict().disordered).toBe(1);
  });

  test('notices what nobody has sent', () => {
    const { oracle, expected, device } = goodRun();
    const other = expected.devices[1]!;
    oracle.received('b/00000000000000aa', payloadOf(expected, device, 6).replace(device, '00000000000000aa'));
    oracle.received(`b/${other}`, payloadOf(expected, device, 6));
    oracle.received(`b/${device}`, 'no json');
    oracle.received(`b/${device}`, '{"ts":1}');
    expect(oracle.verdict().foreign).toBe(4);
  });
});
