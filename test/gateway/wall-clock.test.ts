import { describe, expect, it } from 'vitest';
import { CHECK_MS, WallClock } from '../../gateway/wall-clock.ts';
import { DeviceClock } from '../../gateway/sessions/link/device-clock.ts';

const DAY = 86_400_000;
const START = 1_767_225_600_000;

/** A machine whose clocks are ours. */
function machine(wallAtStart = START) {
  const clocks = { monotonic: 5_000, wall: wallAtStart, asleep: 0 };
  const steps: number[] = [];
  const clock = new WallClock({
    system: () => clocks.wall,
    monotonic: () => clocks.monotonic,
    sinceBoot: () => clocks.monotonic + 1_000_000 + clocks.asleep,
    onStep: (byMs) => steps.push(byMs),
  });
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += CHECK_MS) {
      clocks.monotonic += CHECK_MS;
      clocks.wall += CHECK_MS;
      clock.check();
    }
  };
  return { clocks, clock, steps, pass };
}

describe('WallClock', () => {
  it.each([
    ['a day ahead', DAY],
    ['a day back', -DAY],
    ['to 1970', 1_000 - START],
    ['by a second', 1_000],
  ])('does not see a leap %s that is taken back', (_, by) => {
    const { clocks, clock, steps, pass } = machine();
    pass(10_000);
    const before = clock.now();
    clocks.wall += by;
    pass(30_000);
    expect(clock.now() - before).toBe(30_000);
    clocks.wall -= by;
    pass(200_000);
    expect(clock.now() - before).toBe(230_000);
    expect(steps).toEqual([]);
  });

  it.each([DAY, -DAY])('follows a leap of %i ms that lasts, once', (by) => {
    const { clocks, clock, steps, pass } = machine();
    clocks.wall += by;
    pass(50_000);
    expect(steps).toEqual([]);
    pass(60_000);
    expect(steps).toEqual([by]);
    expect(clock.now()).toBe(clocks.wall);
    expect(clock.steps).toBe(1);
  });

  it('follows at once from 1970 to today, and never back', () => {
    const { clocks, clock, steps, pass } = machine(60_000);
    pass(10_000);
    expect(clock.now()).toBe(70_000);
    clocks.wall += START;
    pass(1_000);
    expect(clock.now()).toBe(clocks.wall);
    clocks.wall -= START;
    pass(300_000);
    expect(clock.now()).toBe(clocks.wall + START);
    expect(steps).toEqual([START]);
  });

  it('follows small differences slowly', () => {
    const { clocks, clock, steps, pass } = machine();
    clocks.wall += 50;
    pass(10_000);
    expect(clocks.wall - clock.now()).toBe(40);
    pass(60_000);
    expect(clock.now()).toBe(clocks.wall);
    expect(steps).toEqual([]);
  });

  it('knows that time has passed while the machine slept', () => {
    const { clocks, clock, steps, pass } = machine();
    pass(5_000);
    clocks.asleep += 3_600_000;
    clocks.wall += 3_600_000;
    pass(1_000);
    expect(clock.now()).toBe(clocks.wall);
    expect(steps).toEqual([3_600_000]);
  });

  it('keeps the distance of samples of one boot over leaps', () => {
    const { clocks, clock, pass } = machine();
    const device = new DeviceClock(1_000, clocks.monotonic);
    const dated: number[] = [];
    for (const leap of [0, DAY, -DAY, 1_000 - START, START - 1_000]) {
      clocks.wall += leap;
      pass(10_000);
      const uptime = 1_000 + clocks.monotonic - 5_000 - 70;
      dated.push(clock.at(clocks.monotonic) - device.ageMs(uptime, clocks.monotonic));
    }
    expect(dated.map((time) => time - dated[0]!)).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
  });
});
