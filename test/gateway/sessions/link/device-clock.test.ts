import { describe, expect, it } from 'vitest';
import { DeviceClock } from '../../../../gateway/sessions/link/device-clock.ts';

describe('DeviceClock', () => {
  it('says how long ago an uptime was, over the wrap after 49.7 days', () => {
    const clock = new DeviceClock(2 ** 32 - 1_000, 50_000);
    expect(clock.ageMs(2 ** 32 - 3_000, 50_000)).toBe(2_000);
    expect(clock.ageMs(500, 52_000)).toBe(500);
    expect(clock.ageMs(2 ** 32 - 1_000, 52_000)).toBe(2_000);
  });

  it('moves its estimate when something comes that would be ahead of it, and keeps the distances', () => {
    const clock = new DeviceClock(10_000, 50_000);
    expect(clock.ageMs(10_240, 50_200)).toBe(-40);
    expect(clock.notAhead(-40, 50_200)).toBe(true);
    expect([10_140, 10_240].map((uptime) => clock.ageMs(uptime, 50_200))).toEqual([100, 0]);
  });

  it('believes as much drift as a bad quartz has, and no nonsense', () => {
    const day = 86_400_000;
    const clock = new DeviceClock(0, 0);
    expect(clock.notAhead(-60_000, day)).toBe(true);
    expect(new DeviceClock(0, 0).notAhead(-60_000, 1_000)).toBe(false);
    expect(new DeviceClock(0, 0).notAhead(-day, day)).toBe(false);
  });

  it('stays over sessions of one boot, however slow the HELLO was, and is a new one after another boot', () => {
    const first = new DeviceClock(10_000, 50_000);
    expect(DeviceClock.heard(first, 20_000, 60_200)).toBe(first);
    expect(first.ageMs(20_000, 60_200)).toBe(200);
    expect(DeviceClock.heard(first, 30_010, 70_000)).toBe(first);
    expect(first.ageMs(30_010, 70_000)).toBe(0);
    const second = DeviceClock.heard(first, 300, 80_000);
    expect(second).not.toBe(first);
    expect(second.ageMs(300, 80_000)).toBe(0);
    expect(DeviceClock.heard(undefined, 7, 7).ageMs(7, 8)).toBe(1);
  });
});
