import { describe, expect, it } from 'vitest';
import { WaitingSince } from '../../../gateway/mqtt/waiting-since.ts';

describe('WaitingSince', () => {
  it('knows what has waited for longer than the span, give or take a tenth', () => {
    const waiting = new WaitingSince(10_000);
    for (let now = 0; now <= 60_000; now += 7) {
      // One a millisecond.
      waiting.seen(now, now);
      if (now < 10_000) expect(waiting.tooLong).toBe(0);
      else {
        expect(waiting.tooLong).toBeLessThanOrEqual(now - 10_000);
        expect(waiting.tooLong).toBeGreaterThan(now - 11_100);
      }
    }
  });

  it('knows it after a long silence, too', () => {
    const waiting = new WaitingSince(10_000);
    waiting.seen(5, 0);
    waiting.seen(10, 500);
    waiting.seen(10, 10_400);
    expect(waiting.tooLong).toBe(5);
    waiting.seen(11, 10_500);
    expect(waiting.tooLong).toBe(10);
    waiting.seen(11, 60_000);
    expect(waiting.tooLong).toBe(11);
  });

  it('takes what was there at the start for old', () => {
    const waiting = new WaitingSince(10_000);
    waiting.startWith(100);
    waiting.seen(101, 0);
    expect(waiting.tooLong).toBe(100);
  });
});
