import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { DatagramAnswers } from '../../../gateway/limits/datagram-answers.ts';
import { DeviceRate } from '../../../gateway/limits/device-rate.ts';
import { KeyedBuckets } from '../../../gateway/limits/keyed-buckets.ts';
import { LIMIT_NAMES, LimitWatch } from '../../../gateway/limits/limit-watch.ts';
import { TokenBucket } from '../../../gateway/limits/token-bucket.ts';
import { createLog, rateLimited } from '../../../gateway/log.ts';
import { fileSchema } from '../../../gateway/config/schema.ts';

function watched() {
  const lines: string[] = [];
  const log = createLog({ level: 'warn', pretty: false, write: (line) => lines.push(line) });
  let nowMs = 0;
  return { lines, watch: new LimitWatch(rateLimited(log, () => nowMs)), pass: (ms: number) => void (nowMs += ms) };
}

it('a bucket gives its burst, then its rate, and never more than both', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 1, max: 20 })), { maxLength: 50 }),
      (burst, perSecond, steps) => {
        let now = 0;
        const bucket = new TokenBucket(burst, perSecond, () => now);
        let given = 0;
        for (const [wait, tries] of steps) {
          now += wait;
          for (let i = 0; i < tries; i++) if (bucket.take()) given++;
          expect(given).toBeLessThanOrEqual(burst + (now * perSecond) / 1_000 + 1e-6);
        }
        now += bucket.waitMs() + 1e-6;
        expect(bucket.take()).toBe(true);
      },
    ),
  );
});

it('a device may overdraw its account by one frame, and waits until it is even', () => {
  const rate = new DeviceRate({ framesPerS: 10, bytesPerS: 1_000 }, 0);
  for (let i = 0; i < 9; i++) rate.charge(1_000, 0);
  expect(rate.waitMs(0)).toBe(0);
  rate.charge(2_000, 0);
  expect([rate.waitMs(0), rate.scarce]).toEqual([1_000, 'bytes_per_s']);
  expect(rate.waitMs(1_000)).toBe(0);
  for (let i = 0; i < 100; i++) rate.charge(0, 100_000);
  expect([rate.waitMs(100_000), rate.scarce]).toEqual([100, 'frames_per_s']);
});

it('a slower rate than one frame in ten seconds lets one through now and then', () => {
  const rate = new DeviceRate({ framesPerS: 0.05, bytesPerS: 1_000 }, 0);
  expect(rate.waitMs(0)).toBe(0);
  rate.charge(10, 0);
  expect(rate.waitMs(0)).toBeCloseTo(20_000);
  expect(rate.waitMs(20_000)).toBe(0);
});

it('the table of addresses is bounded, and the one used the longest ago goes', () => {
  const buckets = new KeyedBuckets(1, 0.001, () => 0, 3);
  for (const key of ['a', 'b', 'c']) expect(buckets.of(key).take()).toBe(true);
  expect(buckets.of('a').take()).toBe(false);
  expect(buckets.of('d').take()).toBe(true);
  expect(buckets.size).toBe(3);
  expect(buckets.of('a').take()).toBe(false);
  // It had to make room.
  expect(buckets.of('b').take()).toBe(true);
});

it('an answer to a stranger is never more than one and a half times as long', () => {
  const { watch } = watched();
  const answers = new DatagramAnswers(100, () => 0, watch);
  fc.assert(
    fc.property(fc.nat(100), fc.nat(200), (request, answer) => {
      fc.pre(answer > request * 1.5);
      expect(answers.allows('192.0.2.1', request, answer, 'udp')).toBe(false);
    }),
  );
  expect(answers.allows('192.0.2.1', 14, 21, 'udp')).toBe(true);
  expect(answers.allows('192.0.2.1', 0, 0, 'udp')).toBe(true);
  expect(watch.counts.answers_per_s).toBe(0);
});

it('a limit is counted each time and logged once a minute for each place', () => {
  const { lines, watch, pass } = watched();
  for (let i = 0; i < 100; i++) watch.bite('connections', 'tcp:0.0.0.0:2883', 'a connection was refused');
  watch.bite('connections', 'unix', 'a connection was refused');
  expect(watch.counts.connections).toBe(101);
  expect(lines).toHaveLength(2);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    limit: 'connections',
    msg: 'tcp:0.0.0.0:2883: a connection was refused, because of limits.connections',
  });
  pass(60_000);
  watch.bite('connections', 'unix', 'a connection was refused');
  expect(lines).toHaveLength(3);
});

it('every limit that can bite is a key of the configuration', () => {
  const keys = Object.keys(fileSchema.parse({}).limits);
  for (const name of LIMIT_NAMES) expect(keys).toContain(name);
});
