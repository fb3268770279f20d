/** Devices and records for the tests of the MQTT side. */
import type { Device, DeviceChannel, Transport } from '../../../gateway/devices/device.ts';
import type { JournalRecord } from '../../../gateway/journal/journal.ts';
import type { Quality, RawValue, Sample, Value, ValueType } from '../../../protocol/index.ts';

export interface TestDevice extends Device {
  readonly channels: Map<number, DeviceChannel>;
  channelsVersion: number;
  online: boolean;
  transport: Transport | undefined;
}

export function channel(number: number, alias: string, more: Partial<DeviceChannel> = {}): DeviceChannel {
  return {
    number,
    alias,
    name: alias,
    type: 'i16',
    class: 'none',
    scale: 0,
    unit: '',
    writable: false,
    totalIncreasing: false,
    diagnostic: false,
    ...more,
  };
}

export function testDevice(channels: readonly DeviceChannel[], more: Partial<TestDevice> = {}): TestDevice {
  return {
    id: 'a1b2c3d4e5f60718',
    alias: 'greenhouse',
    schema: undefined,
    channels: new Map(channels.map((one) => [one.number, one])),
    channelsVersion: 1,
    transport: 'tcp',
    online: true,
    lastSeen: undefined,
    newestLsn: 0,
    ...more,
  };
}

export function value(channelNumber: number, type: ValueType, raw: RawValue, quality: Quality = 'good'): Value {
  return { channel: channelNumber, type, quality, value: raw };
}

export function sample(time: number, ...values: Value[]): Sample {
  return { timeKind: 'unix', time, values };
}

export function record(
  device: Device,
  seq: number,
  samples: readonly Sample[],
  more: Partial<JournalRecord> = {},
): JournalRecord {
  return { device, boot: 4, seq, receivedAt: samples.at(-1)!.time, samples, ...more };
}
