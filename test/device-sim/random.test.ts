import { expect, test } from 'vitest';
import { Random } from '../../device-sim/random.ts';

function draw(random: Random, n: number): number[] {
  return Array.from({ length: n }, () => random.u32());
}

test('equal seeds give equal sequences, others do not', () => {
  expect(draw(new Random(7), 50)).toEqual(draw(new Random(7), 50));
  expect(draw(new Random(7), 50)).not.toEqual(draw(new Random(8), 50));
});

test('the sequence stays the same from version to version, so that old seeds keep their meaning', () => {
  expect(draw(new Random(1), 4)).toMatchInlineSnapshot(`
    [
      2238773634,
      2583846755,
      2728634006,
      3665591840,
    ]
  `);
});

test('a fork depends on its path alone, not on what was drawn before', () => {
  const fresh = new Random(3);
  const used = new Random(3);
  draw(used, 1000);
  expect(draw(fresh.fork('values'), 20)).toEqual(draw(used.fork('values'), 20));
  expect(draw(fresh.fork('values'), 20)).not.toEqual(draw(fresh.fork('faults'), 20));
  expect(draw(fresh.fork(1).fork(2), 20)).not.toEqual(draw(fresh.fork(2).fork(1), 20));
});

test('chance is about as often as it says, and never at 0', () => {
  const random = new Random(11);
  const hits = Array.from({ length: 20_000 }, () => random.chance(0.3)).filter(Boolean).length;
  expect(hits).toBeGreaterThan(5_600);
  expect(hits).toBeLessThan(6_400);
  expect(Array.from({ length: 1000 }, () => random.chance(0)).includes(true)).toBe(false);
});

test('normal numbers have mean 0 and deviation 1', () => {
  const random = new Random(12);
  const drawn = Array.from({ length: 20_000 }, () => random.normal());
  const mean = drawn.reduce((sum, x) => sum + x, 0) / drawn.length;
  const variance = drawn.reduce((sum, x) => sum + (x - mean) ** 2, 0) / drawn.length;
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(Math.abs(variance - 1)).toBeLessThan(0.05);
});
