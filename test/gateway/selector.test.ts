import { expect, test } from 'vitest';
import { type SelectionKey, Selector } from '../../gateway/selector.ts';
import { ERROR, READ, type Selectable, WRITE } from '../../gateway/sources/source.ts';

/** The least that can be watched: a level, and how often it was asked for. */
class Level implements Selectable {
  readonly id: string;
  onEdge: (() => void) | undefined;
  looks = 0;
  #ready = 0;

  constructor(id: string) {
    this.id = id;
  }

  get ready(): number {
    this.looks++;
    return this.#ready;
  }

  set(ready: number): void {
    this.#ready = ready;
    this.onEdge?.();
  }
}

const names = (keys: readonly SelectionKey<string>[]) => keys.map((key) => key.attachment);

test('an edge ends the wait, and the level stays until it is gone', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  const key = selector.register(one, READ, 'one');
  const waiting = selector.select(undefined);
  setImmediate(() => one.set(READ));
  expect(names(await waiting)).toEqual(['one']);
  expect(key.ready).toBe(READ);
  expect(names(await selector.select(undefined))).toEqual(['one']);
  one.set(0);
  expect(await selector.select(0)).toEqual([]);
  expect(key.ready).toBe(0);
});

test('what is ready before it is registered is found', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  one.set(READ | WRITE);
  const key = selector.register(one, READ, 'one');
  await selector.select(undefined);
  expect(key.ready).toBe(READ);
});

test('interest masks the level, but never an error', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  const key = selector.register(one, 0, 'one');
  one.set(READ | WRITE);
  expect(await selector.select(0)).toEqual([]);
  selector.modify(key, WRITE);
  expect(names(await selector.select(undefined))).toEqual(['one']);
  expect(key.ready).toBe(WRITE);
  selector.modify(key, 0);
  expect(await selector.select(0)).toEqual([]);
  one.set(READ | ERROR);
  expect(names(await selector.select(undefined))).toEqual(['one']);
  expect(key.ready).toBe(ERROR);
});

test('all edges of one turn of the event loop come in one result', async () => {
  const selector = new Selector<string>();
  const levels = ['a', 'b', 'c'].map((name) => new Level(name));
  for (const level of levels) selector.register(level, READ, level.id);
  const waiting = selector.select(undefined);
  process.nextTick(() => {
    for (const level of levels) level.set(READ);
  });
  expect((await waiting).length).toBe(3);
});

test('with something ready the event loop still turns, so that others get in', async () => {
  const selector = new Selector<string>();
  const busy = new Level('busy');
  const late = new Level('late');
  selector.register(busy, READ, 'busy');
  selector.register(late, READ, 'late');
  busy.set(READ);
  setTimeout(() => late.set(READ), 0);
  let ready: string[] = [];
  // Without a turn of the event loop the timer would never come, and this would never end.
  while (!ready.includes('late')) ready = names(await selector.select(undefined));
  expect(ready.toSorted()).toEqual(['busy', 'late']);
});

test('work left in buffers of the owner counts as READ while READ is wanted', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  const key = selector.register(one, READ, 'one');
  await selector.select(0);
  key.more = true;
  await selector.select(undefined);
  expect(key.ready).toBe(READ);
  selector.modify(key, 0);
  expect(await selector.select(0)).toEqual([]);
  selector.modify(key, READ);
  expect((await selector.select(undefined)).length).toBe(1);
  key.more = false;
  expect(await selector.select(0)).toEqual([]);
});

test('each of the ready keys comes first in its turn', async () => {
  const selector = new Selector<string>();
  for (const name of ['a', 'b', 'c']) {
    const level = new Level(name);
    level.set(READ);
    selector.register(level, READ, name);
  }
  const first = new Map<string, number>();
  for (let turn = 0; turn < 30; turn++) {
    const ready = names(await selector.select(undefined));
    expect(ready.toSorted()).toEqual(['a', 'b', 'c']);
    first.set(ready[0]!, (first.get(ready[0]!) ?? 0) + 1);
  }
  expect([...first.values()]).toEqual([10, 10, 10]);
});

test('idle keys cost nothing: only those with an edge are looked at', async () => {
  const selector = new Selector<string>();
  const idle = Array.from({ length: 1_000 }, (_, i) => new Level(`idle ${i}`));
  for (const level of idle) selector.register(level, READ, level.id);
  const busy = new Level('busy');
  selector.register(busy, READ, 'busy');
  await selector.select(0);
  const before = idle.reduce((sum, level) => sum + level.looks, 0);
  busy.set(READ);
  for (let turn = 0; turn < 100; turn++) await selector.select(undefined);
  expect(idle.reduce((sum, level) => sum + level.looks, 0)).toBe(before);
});

test('a key unregistered in the middle of a turn is no longer ready and never comes again', async () => {
  const selector = new Selector<string>();
  const keys = ['a', 'b'].map((name) => {
    const level = new Level(name);
    level.set(READ);
    return selector.register(level, READ, name);
  });
  const [a, b] = keys as [SelectionKey<string>, SelectionKey<string>];
  await selector.select(undefined);
  selector.unregister(b);
  selector.unregister(b);
  b.more = true;
  expect(b.ready).toBe(0);
  expect(b.registered).toBe(false);
  expect(b.selectable.onEdge).toBeUndefined();
  expect(selector.size).toBe(1);
  expect(names(await selector.select(undefined))).toEqual(['a']);
  expect(a.ready).toBe(READ);
  expect(() => selector.modify(b, READ)).toThrow(TypeError);
});

test('one that was unregistered can be registered again at once', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  one.set(READ);
  selector.unregister(selector.register(one, READ, 'old'));
  selector.register(one, READ, 'new');
  expect(names(await selector.select(undefined))).toEqual(['new']);
});

test('mistakes: registered twice, select in a select, an interest that does not exist', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  selector.register(one, READ, 'one');
  expect(() => selector.register(one, READ, 'again')).toThrow(TypeError);
  expect(() => new Selector<string>().register(one, READ, 'elsewhere')).toThrow(TypeError);
  expect(() => selector.register(new Level('two'), 8, 'two')).toThrow(RangeError);
  const waiting = selector.select(undefined);
  await expect(selector.select(0)).rejects.toThrow(TypeError);
  selector.wakeup();
  expect(await waiting).toEqual([]);
  await expect(selector.select(Number.NaN)).rejects.toThrow(RangeError);
});

test('the timeout ends the wait with nothing ready, also after an edge that came to nothing', async () => {
  const selector = new Selector<string>();
  const one = new Level('one');
  const key = selector.register(one, READ, 'one');
  expect(await selector.select(1)).toEqual([]);
  const waiting = selector.select(5);
  setImmediate(() => {
    one.set(READ);
    one.set(0);
  });
  expect(await waiting).toEqual([]);
  expect(key.ready).toBe(0);
});

test('wakeup ends the wait in progress, or the next one, once', async () => {
  const selector = new Selector<string>();
  const waiting = selector.select(undefined);
  expect(selector.selecting).toBe(true);
  selector.wakeup();
  expect(await waiting).toEqual([]);
  expect(selector.selecting).toBe(false);
  selector.wakeup();
  expect(await selector.select(undefined)).toEqual([]);
  let ended = false;
  const wait = async () => {
    await selector.select(undefined);
    ended = true;
  };
  const third = wait();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(ended).toBe(false);
  selector.wakeup();
  await third;
});
