import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Timer, TimerQueue } from '../../gateway/timers.ts';

interface Entry {
  at: number;
  order: number;
  name: number;
}

/** The queue as one would write it without caring for speed: a list, sorted at each look. */
class Model {
  readonly entries = new Map<number, Entry>();
  #order = 0;

  set(name: number, at: number): void {
    this.entries.set(name, { at, order: this.#order++, name });
  }

  sorted(): Entry[] {
    return [...this.entries.values()].toSorted((x, y) => x.at - y.at || x.order - y.order);
  }
}

const times = fc.integer({ min: 0, max: 50 });
const picks = fc.nat({ max: 30 });
const steps = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('schedule' as const), at: times }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reschedule' as const), pick: picks, at: times }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), pick: picks }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('run' as const), now: times, max: fc.option(fc.nat({ max: 5 })) }),
  },
);

test('behaves as a sorted list', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 200 }), (list) => {
      const queue = new TimerQueue();
      const model = new Model();
      const timers: Timer[] = [];
      const ran: number[] = [];
      for (const step of list) {
        if (step.do === 'schedule') {
          const name = timers.length;
          timers.push(queue.schedule(step.at, () => ran.push(name)));
          model.set(name, step.at);
        } else if (step.do === 'run') {
          const due = model.sorted().filter((entry) => entry.at <= step.now);
          const expected = due.slice(0, step.max ?? due.length).map((entry) => entry.name);
          ran.length = 0;
          queue.run(step.now, step.max ?? undefined);
          expect(ran).toEqual(expected);
          for (const name of expected) model.entries.delete(name);
        } else if (timers.length > 0) {
          const name = step.pick % timers.length;
          if (step.do === 'cancel') {
            queue.cancel(timers[name]!);
            model.entries.delete(name);
          } else {
            queue.reschedule(timers[name]!, step.at);
            model.set(name, step.at);
          }
        }
        expect(queue.nextAt).toBe(model.sorted()[0]?.at);
        expect(queue.size).toBe(model.entries.size);
      }
      for (const [name, timer] of timers.entries()) expect(timer.pending).toBe(model.entries.has(name));
    }),
  );
});
