import { describe, expect, it, onTestFinished } from 'vitest';
import { Loop } from '../../gateway/loop.ts';
import { READ, type Selectable } from '../../gateway/sources/source.ts';

/** Ready whenever the test says so. */
class Lamp implements Selectable {
  readonly id: string;
  onEdge: (() => void) | undefined;
  ready = 0;

  constructor(id: string) {
    this.id = id;
  }

  light(): void {
    this.ready = READ;
    this.onEdge?.();
  }
}

function run(clock?: () => number): Loop {
  const loop = new Loop(clock);
  const running = loop.run();
  onTestFinished(async () => {
    loop.stop();
    await running;
  });
  return loop;
}

/** The end of the next turn. */
function turn(loop: Loop): Promise<void> {
  return new Promise((resolve) => {
    loop.atEndOfTurn(resolve);
  });
}

describe('a turn', () => {
  it('serves who is ready, then what is due, then its end, in that order', async () => {
    let now = 0;
    const loop = run(() => now);
    const done: string[] = [];
    const lamp = new Lamp('lamp');
    loop.register(lamp, READ, {
      onReady: () => {
        lamp.ready = 0;
        done.push('ready');
      },
    });
    loop.timers.schedule(10, () => done.push('due'));
    loop.atEndOfTurn(() => done.push('first'));
    loop.atEndOfTurn(() => done.push('second'));
    await turn(loop);
    done.length = 0;
    now = 10;
    lamp.light();
    await turn(loop);
    expect(done).toEqual(['ready', 'due', 'first', 'second']);
  });

  it('is one moment: now is the same at its end as at its beginning', async () => {
    let now = 0;
    const loop = run(() => (now += 1));
    const times: number[] = [];
    loop.timers.schedule(0, () => times.push(loop.now()));
    loop.atEndOfTurn(() => times.push(loop.now()));
    await turn(loop);
    expect(times[0]).toBe(times[1]);
    expect(loop.now()).toBeGreaterThan(times[0]!);
  });

  it('does not serve one that another has unregistered in it', async () => {
    const loop = run();
    const served: string[] = [];
    const lamps = [new Lamp('a'), new Lamp('b')];
    const keys = lamps.map((lamp, index) =>
      loop.register(lamp, READ, {
        onReady: () => {
          served.push(lamp.id);
          loop.unregister(keys[1 - index]!);
          lamp.ready = 0;
        },
      }),
    );
    for (const lamp of lamps) lamp.light();
    await turn(loop);
    expect(served).toHaveLength(1);
  });
});

describe('the wait', () => {
  it('ends early for a deadline that is set during it', async () => {
    const loop = run();
    loop.timers.schedule(loop.now() + 3_600_000, () => undefined);
    await turn(loop);
    await new Promise<void>((resolve) => {
      setTimeout(() => loop.timers.schedule(loop.now(), resolve), 5);
    });
  });

  it('ends by wakeup, which in the middle of a turn does nothing', async () => {
    const loop = run();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    loop.atEndOfTurn(() => loop.wakeup());
    const before = loop.turns;
    loop.wakeup();
    await turn(loop);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    expect(loop.turns).toBe(before + 1);
  });

  it('does not starve I/O by many deadlines: at most a thousand run in a turn', async () => {
    const loop = run();
    let ran = 0;
    const perTurn: number[] = [];
    loop.atEndOfTurn(() => perTurn.push(ran));
    for (let n = 0; n < 2_500; n++) loop.timers.schedule(0, () => ran++);
    await new Promise<void>((resolve) => {
      loop.atEndOfTurn(() => {
        if (ran === 2_500) resolve();
      });
    });
    expect(perTurn.slice(0, 2)).toEqual([1_000, 2_000]);
  });
});
