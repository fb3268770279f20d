import { expect, test } from 'vitest';
import { TimerQueue } from '../../gateway/timers.ts';

test('runs what is due, the earliest first, equal ones in the order they were set', () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  queue.schedule(20, () => ran.push('late'));
  queue.schedule(10, () => ran.push('first'));
  queue.schedule(10, () => ran.push('second'));
  queue.schedule(30, () => ran.push('later'));
  expect(queue.nextAt).toBe(10);
  expect(queue.run(20)).toBe(3);
  expect(ran).toEqual(['first', 'second', 'late']);
  expect(queue.nextAt).toBe(30);
  expect(queue.size).toBe(1);
});

test('runs at most as many as it was told', () => {
  const queue = new TimerQueue();
  for (let i = 0; i < 5; i++) queue.schedule(i, () => {});
  expect(queue.run(100, 2)).toBe(2);
  expect(queue.nextAt).toBe(2);
});

test('a timer is reusable after it has run and after it was cancelled', () => {
  const queue = new TimerQueue();
  let runs = 0;
  const timer = queue.schedule(10, () => runs++);
  queue.run(10);
  expect(timer.pending).toBe(false);
  queue.reschedule(timer, 20);
  queue.cancel(timer);
  queue.cancel(timer);
  expect(queue.run(20)).toBe(0);
  queue.reschedule(timer, 30);
  expect(timer.pending).toBe(true);
  queue.run(30);
  expect(runs).toBe(2);
});

test('a callback may cancel what is due in the same run, and move itself', () => {
  const queue = new TimerQueue();
  const ran: string[] = [];
  const a = queue.schedule(1, () => {
    ran.push('a');
    queue.cancel(b);
    queue.reschedule(a, 5);
  });
  const b = queue.schedule(2, () => ran.push('b'));
  queue.run(3);
  expect(ran).toEqual(['a']);
  expect(queue.nextAt).toBe(5);
});

test('a callback that is due again at once does not hold the run for ever', () => {
  const queue = new TimerQueue();
  const timer = queue.schedule(0, () => queue.reschedule(timer, 0));
  queue.schedule(1, () => {});
  expect(queue.run(10)).toBe(2);
  expect(timer.pending).toBe(true);
});

test('a callback that throws leaves the queue as it should be', () => {
  const queue = new TimerQueue();
  let ran = false;
  queue.schedule(1, () => {
    throw new Error('mistake');
  });
  queue.schedule(2, () => {
    ran = true;
  });
  expect(() => queue.run(5)).toThrow('mistake');
  expect(queue.run(5)).toBe(1);
  expect(ran).toBe(true);
});

test('says when the earliest deadline becomes earlier, and only then', () => {
  const queue = new TimerQueue();
  let earlier = 0;
  queue.onEarlier = () => earlier++;
  const timer = queue.schedule(100, () => {});
  queue.schedule(200, () => {});
  expect(earlier).toBe(1);
  queue.schedule(50, () => {});
  expect(earlier).toBe(2);
  queue.reschedule(timer, 300);
  expect(earlier).toBe(2);
});

test('a deadline that is no number, and a timer of another queue, are mistakes', () => {
  const queue = new TimerQueue();
  expect(() => queue.schedule(Number.NaN, () => {})).toThrow(RangeError);
  expect(queue.size).toBe(0);
  const timer = new TimerQueue().schedule(1, () => {});
  expect(() => queue.reschedule(timer, 2)).toThrow(TypeError);
  expect(() => queue.cancel(timer)).toThrow(TypeError);
});
