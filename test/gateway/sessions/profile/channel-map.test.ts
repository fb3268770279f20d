import { describe, expect, it } from 'vitest';
import type { Profile, ProfileChannel, Value } from '../../../../protocol/index.ts';
import { RegisteredDevice } from '../../../../gateway/devices/registry.ts';
import { ChannelMap } from '../../../../gateway/sessions/profile/channel-map.ts';
import { meterProfile } from '../../../helpers/meter-profile.ts';

const model = meterProfile().channels[0]!;

function channel(number: number, alias: string, more: Partial<ProfileChannel> = {}): ProfileChannel {
  return { ...model, number, alias, title: `Title of ${alias}`, command: undefined, ...more };
}

function profileOf(...channels: ProfileChannel[]): Profile {
  return { ...meterProfile(), channels, commands: [] };
}

/** The device as a restart finds it, after what `map` has stored. */
function restarted(map: ChannelMap): RegisteredDevice {
  const device = new RegisteredDevice('0123456789abcdef', 'meter');
  device.declare(map.stored);
  return device;
}

const mapOf = (device: RegisteredDevice, profile: Profile): ChannelMap => new ChannelMap(device, profile);
const fresh = (): RegisteredDevice => new RegisteredDevice('0123456789abcdef', 'meter');
const value = (number: number): Value => ({ channel: number, type: 'u16', quality: 'good', value: 1 });
const numbersOf = (device: RegisteredDevice): Record<string, number> =>
  Object.fromEntries(Array.from(device.channels.values(), ({ alias, number }) => [alias, number]));

describe('the channels of a device with a profile', () => {
  it('are those of the profile, but for the parts of a repeat, which come with their values', () => {
    const device = fresh();
    const map = new ChannelMap(device, profileOf(channel(0, 'volts'), channel(1, 'cell_1', { repeated: true })));
    expect(numbersOf(device)).toEqual({ volts: 0 });
    expect(device.channels.get(0)).toMatchObject({ name: 'Title of volts', unit: 'V', scale: -1 });
    expect(map.translate(value(1))).toBe(true);
    expect(map.describe()).toBe(true);
    expect(map.describe()).toBe(false);
    expect(numbersOf(device)).toEqual({ volts: 0, cell_1: 1 });
  });

  it('keep their numbers over a restart, whatever becomes of the file', () => {
    const first = new ChannelMap(fresh(), profileOf(channel(0, 'volts'), channel(1, 'amps'), channel(2, 'watts')));
    const device = restarted(first);
    const second = new ChannelMap(
      device,
      profileOf(
        channel(0, 'amps'),
        channel(1, 'new_one'),
        channel(2, 'volts'),
        channel(3, 'cell_1', { repeated: true }),
      ),
    );
    expect(numbersOf(device)).toEqual({ volts: 0, amps: 1, watts: 2, new_one: 3 });
    const amps = value(0);
    expect(second.translate(amps)).toBe(true);
    expect(amps.channel).toBe(1);
    const cell = value(3);
    second.translate(cell);
    expect(cell.channel).toBe(4);
    second.describe();
    // The third run knows all of it.
    const third = restarted(second);
    mapOf(third, profileOf(channel(7, 'cell_1', { repeated: true })));
    expect(numbersOf(third)).toEqual({ volts: 0, amps: 1, watts: 2, new_one: 3, cell_1: 4 });
  });

  it('are new ones where the scale has changed, so that old readings are not shown by the new', () => {
    const first = new ChannelMap(fresh(), profileOf(channel(0, 'volts')));
    const device = restarted(first);
    mapOf(device, profileOf(channel(0, 'volts', { scale: -2 })));
    expect(numbersOf(device)).toEqual({ volts: 1 });
    expect(device.channels.get(1)).toMatchObject({ scale: -2 });
  });

  it('never take the names of other keys of the JSON', () => {
    const device = fresh();
    mapOf(device, profileOf(channel(0, 'id'), channel(1, 'ts'), channel(2, 'a_quality')));
    expect(Object.keys(numbersOf(device))).toEqual(['id_ch0', 'ts_ch1', 'a_quality_ch2']);
  });

  it('are at most 256: then what the profile no longer has makes room, and after that values are left out', () => {
    const many = (prefix: string, count: number): ProfileChannel[] =>
      Array.from({ length: count }, (_, number) => channel(number, `${prefix}_${number}`));
    const device = restarted(new ChannelMap(fresh(), profileOf(...many('old', 250))));
    const map = new ChannelMap(device, profileOf(...many('new', 256)));
    expect(device.channels.size).toBe(256);
    expect(Object.keys(numbersOf(device)).every((alias) => alias.startsWith('new_'))).toBe(true);
    map.learn(channel(255, 'another'));
    expect(map.translate(value(255))).toBe(true);
    expect(map.stored.channels).toHaveLength(256);
  });

  it('that nobody has told of are left out', () => {
    const map = new ChannelMap(fresh(), profileOf(channel(0, 'volts')));
    expect(map.translate(value(9))).toBe(false);
    map.learn(channel(9, 'dp_9'));
    expect(map.translate(value(9))).toBe(true);
  });
});
