import { describe, expect, it } from 'vitest';
import { RegisteredDevice } from '../../../gateway/devices/registry.ts';
import { Recorder } from '../../../gateway/recorder/recorder.ts';
import type { Sample, Value } from '../../../protocol/index.ts';

const T0 = 1_800_000_000_000;

function value(channel: number, raw: Value['value'], type: Value['type'] = 'i16', quality: Value['quality'] = 'good') {
  return { channel, type, quality, value: raw };
}

function sample(time: number, ...values: Value[]): Sample {
  return { timeKind: 'unix', time, values };
}

function device(n: number): RegisteredDevice {
  const made = new RegisteredDevice(n.toString(16).padStart(16, '0'), `d${n}`);
  const common = { class: 'none', unit: '', writable: false, totalIncreasing: false, diagnostic: false } as const;
  made.declare({
    name: '',
    model: '',
    firmware: '',
    channels: [{ ...common, number: 1, name: 't', type: 'i16', scale: -2 }],
  });
  return made;
}

function record(recorder: Recorder, of: RegisteredDevice, ...samples: Sample[]): void {
  recorder.record({ device: of, boot: 1, seq: 1, receivedAt: T0, samples });
}

describe('the recorder', () => {
  it('knows what each channel said last, and plots it in the channel’s unit', () => {
    const recorder = new Recorder({ maxHistories: 10 });
    const thermometer = device(1);
    const heard: string[] = [];
    recorder.onRecord = ({ alias }) => heard.push(alias);
    record(recorder, thermometer, sample(T0, value(1, 2_150)), sample(T0 + 20_000, value(1, 2_160)));
    const latest = recorder.latest(thermometer)?.get(1);
    expect(latest).toMatchObject({ at: T0 + 20_000, value: { value: 2_160 } });
    expect(latest?.history?.since(0).last).toEqual([21.5, 21.6]);
    expect(heard).toEqual(['d1']);
  });

  it('does not go back to an older value', () => {
    const recorder = new Recorder({ maxHistories: 10 });
    const thermometer = device(1);
    record(recorder, thermometer, sample(T0, value(1, 2)));
    record(recorder, thermometer, sample(T0 - 1, value(1, 1)));
    expect(recorder.latest(thermometer)?.get(1)?.value.value).toBe(2);
  });

  it('keeps no history of text and faults, and one of yes and no', () => {
    const recorder = new Recorder({ maxHistories: 10 });
    const thing = device(1);
    const faulty = value(4, 1, 'u8', 'fault');
    record(recorder, thing, sample(T0, value(2, 'on', 'string'), value(3, true, 'bool'), faulty, value(5, 7n, 'u64')));
    const latest = recorder.latest(thing);
    expect(latest?.get(2)?.history).toBeUndefined();
    expect(latest?.get(3)?.history?.since(0).last).toEqual([1]);
    expect(latest?.get(4)?.history).toBeUndefined();
    expect(latest?.get(5)?.history?.since(0).last).toEqual([7]);
  });

  it('bounds the histories, and frees those of a device that is forgotten', () => {
    const recorder = new Recorder({ maxHistories: 2 });
    const [first, second] = [device(1), device(2)];
    record(recorder, first, sample(T0, value(1, 1), value(2, 1), value(3, 1)));
    expect(recorder.histories).toBe(2);
    expect(recorder.latest(first)?.get(3)?.value.value).toBe(1);
    recorder.forget(first);
    expect(recorder.histories).toBe(0);
    record(recorder, second, sample(T0, value(1, 1)));
    expect(recorder.latest(second)?.get(1)?.history).toBeDefined();
    expect(recorder.latest(first)).toBeUndefined();
  });
});
