import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Scheduler, task } from '../../device-sim/scheduler.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('tasks run in the order of their times, with one timer for all', () => {
  const scheduler = new Scheduler();
  const ran: number[] = [];
  const start = scheduler.now();
  for (const ms of [30, 10, 20, 5, 25]) {
    scheduler.at(
      task(() => ran.push(ms)),
      start + ms,
    );
  }
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(20);
  expect(ran).toEqual([5, 10, 20]);
  vi.advanceTimersByTime(100);
  expect(ran).toEqual([5, 10, 20, 25, 30]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a task scheduled again has only its new time, a cancelled one none', () => {
  const scheduler = new Scheduler();
  const ran: string[] = [];
  const moved = task(() => ran.push('moved'));
  const cancelled = task(() => ran.push('cancelled'));
  const start = scheduler.now();
  scheduler.at(moved, start + 10);
  scheduler.at(cancelled, start + 15);
  scheduler.at(moved, start + 40);
  scheduler.cancel(cancelled);
  scheduler.cancel(cancelled);
  vi.advanceTimersByTime(30);
  expect(ran).toEqual([]);
  vi.advanceTimersByTime(30);
  expect(ran).toEqual(['moved']);
});

test('a task may schedule itself', () => {
  const scheduler = new Scheduler();
  let ran = 0;
  const every = task((now) => {
    ran += 1;
    if (ran < 5) scheduler.at(every, now + 10);
  });
  scheduler.at(every, scheduler.now());
  vi.advanceTimersByTime(1000);
  expect(ran).toBe(5);
});

test('any mix of scheduling and cancelling runs what is left, in order', () => {
  const step = fc.record({ id: fc.nat(19), dueMs: fc.nat(1000), cancel: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const scheduler = new Scheduler();
      const start = scheduler.now();
      const ran: number[] = [];
      const tasks = Array.from({ length: 20 }, (_, id) => task(() => ran.push(id)));
      const expected = new Map<number, number>();
      for (const { id, dueMs, cancel } of steps) {
        if (cancel) scheduler.cancel(tasks[id]!);
        else scheduler.at(tasks[id]!, start + dueMs);
        if (cancel) expected.delete(id);
        else expected.set(id, dueMs);
      }
      vi.advanceTimersByTime(1100);
      const due = ran.map((id) => expected.get(id)!);
      expect(ran.toSorted((a, b) => a - b)).toEqual([...expected.keys()].toSorted((a, b) => a - b));
      expect(due).toEqual(due.toSorted((a, b) => a - b));
    }),
  );
});
