import { expect, test } from 'vitest';
import { Keepalive } from '../../device-sim/keepalive.ts';

function begun(): Keepalive {
  const keepalive = new Keepalive();
  keepalive.begin(30_000, 0);
  return keepalive;
}

test('silence is asked into twice, then it is the end', () => {
  const keepalive = begun();
  expect(keepalive.check(29_999, false)).toBeUndefined();
  expect(keepalive.check(30_000, false)).toBe('ping');
  keepalive.sent(30_000);
  expect(keepalive.dueAt(false)).toBe(35_000);
  expect(keepalive.check(35_000, false)).toBe('ping');
  keepalive.sent(35_000);
  expect(keepalive.check(40_000, false)).toBe('dead');
});

test('while something is outstanding, its retransmission asks', () => {
  const keepalive = begun();
  expect(keepalive.check(74_999, true)).toBeUndefined();
  expect(keepalive.check(75_000, true)).toBe('dead');
});

test('a probe asks at once, outstanding or not, and is over with any answer', () => {
  for (const outstanding of [false, true]) {
    const keepalive = begun();
    keepalive.probe(1_000, 1_000);
    expect(keepalive.dueAt(outstanding)).toBe(1_000);
    expect(keepalive.check(1_000, outstanding)).toBe('ping');
    // Retransmissions do not put it off.
    keepalive.sent(1_900);
    expect(keepalive.check(1_999, outstanding)).toBeUndefined();
    keepalive.received(1_999);
    expect(keepalive.dueAt(outstanding)).toBeGreaterThan(20_000);
  }
});

test('a probe that nobody answers is the end', () => {
  const keepalive = begun();
  keepalive.probe(1_000, 1_000);
  expect([1_000, 2_000, 3_000].map((now) => keepalive.check(now, true))).toEqual(['ping', 'ping', 'dead']);
});

test('whoever asks for probes gets one in ten seconds', () => {
  const keepalive = begun();
  let pings = 0;
  for (let now = 0; now < 20_000; now += 10) {
    keepalive.probe(now, 1_000);
    if (keepalive.check(now, true) === 'ping') {
      pings += 1;
      keepalive.received(now + 1);
    }
  }
  expect(pings).toBe(2);
});
