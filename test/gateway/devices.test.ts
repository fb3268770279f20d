/** The registry of devices: bounded, and fair about who has to go. */
import { describe, expect, it } from 'vitest';
import { DeviceRegistry } from '../../gateway/devices/registry.ts';
import { DeviceClock } from '../../gateway/sessions/link/device-clock.ts';

const id = (n: number): string => n.toString(16).padStart(16, '0');

describe('DeviceRegistry', () => {
  it('knows who is configured from the start, by id and by alias', () => {
    const registry = new DeviceRegistry(new Map([[id(1), 'greenhouse']]), 10);
    expect(registry.byAlias('greenhouse')).toBe(registry.get(id(1)));
    expect(registry.obtain(id(1))?.alias).toBe('greenhouse');
    expect(registry.obtain(id(2))?.alias).toBe(id(2));
    expect(Array.from(registry, (device) => device.id)).toEqual([id(1), id(2)]);
  });

  it('full, it lets the one go that has been away the longest, but nobody who is online or configured', () => {
    const registry = new DeviceRegistry(new Map([[id(1), 'kept']]), 4);
    const removed: string[] = [];
    registry.onRemoved = (device) => removed.push(device.id);
    for (const [n, lastSeen, online] of [
      [2, 10, true],
      [3, 30, false],
      [4, 20, false],
    ] as const) {
      Object.assign(registry.obtain(id(n))!, { lastSeen, online });
    }
    expect(registry.obtain(id(5))).toBeDefined();
    expect(registry.obtain(id(6))).toBeDefined();
    // 5 has never been heard: it went before 3.
    expect(removed).toEqual([id(4), id(5)]);
    expect(registry.byAlias(id(4))).toBeUndefined();
    for (const device of registry) device.online = true;
    expect(registry.obtain(id(7))).toBeUndefined();
    expect(registry.size).toBe(4);
  });

  it('an id that is the alias of another steps aside', () => {
    const registry = new DeviceRegistry(new Map([[id(1), id(2)]]), 10);
    expect(registry.obtain(id(2))?.alias).toBe(`${id(2)}_id`);
    expect(registry.byAlias(id(2))?.id).toBe(id(1));
  });
});

describe('DeviceClock', () => {
  const clock = new DeviceClock(1_000, 500_000);

  it.each([
    [1_000, 500_000, 0],
    [1_000, 500_250, 250],
    [400, 500_000, 600],
    // A clock that runs ahead.
    [1_500, 500_100, -400],
    // From before the wrap.
    [0xffff_ffff, 500_000, 1_001],
    // A session of two months.
    [((60 * 86_400_000 + 1_000) % 2 ** 32) - 5, 500_000 + 60 * 86_400_000, 5],
  ])('uptime %i seen at %i is %i ms old', (uptime, now, age) => {
    expect(clock.ageMs(uptime, now)).toBe(age);
  });
});
