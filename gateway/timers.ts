/**
 * Deadlines in one ordered queue, whose head is the timeout of `select`: no timer object of Node for each connection.
 *
 * ```
 *   an array as a binary heap, the earliest first; each timer knows its own place, so that it can be moved or removed
 *
 *              [0] 120 ms            parent of i: (i - 1) >> 1
 *             ╱          ╲           children:    2i + 1 and 2i + 2
 *       [1] 450 ms     [2] 130 ms
 * ```
 *
 * It knows no clock: whoever runs it says what time it is, so a test can use any.
 */

const NOT_QUEUED = -1;

/** One deadline. It stays usable after it has run or was cancelled: `reschedule` queues it again. */
export class Timer {
  /** When it is due, in the queue's milliseconds. */
  at: number;
  readonly callback: () => void;
  /** For the queue alone: its place in the heap, and its turn among those of the same time. */
  place = NOT_QUEUED;
  order = 0;

  constructor(at: number, callback: () => void) {
    this.at = at;
    this.callback = callback;
  }

  /** Whether it is still to come. */
  get pending(): boolean {
    return this.place !== NOT_QUEUED;
  }
}

export class TimerQueue {
  /**
   * Called when the earliest deadline has become earlier than it was. Deadlines that are set while a `select` waits
   * (a socket's event did it, not the loop) would otherwise be seen only when the wait is over.
   */
  onEarlier: (() => void) | undefined;
  readonly #heap: Timer[] = [];
  #nextOrder = 0;

  /** How many are pending. */
  get size(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, or undefined when there is none. */
  get nextAt(): number | undefined {
    return this.#heap[0]?.at;
  }

  /** Calls `callback` in the first `run` at or after `atMs`. Equal deadlines run in the order they were set. */
  schedule(atMs: number, callback: () => void): Timer {
    const timer = new Timer(atMs, callback);
    this.reschedule(timer, atMs);
    return timer;
  }

  /** Moves a pending timer, or queues one again that has run or was cancelled. */
  reschedule(timer: Timer, atMs: number): void {
    if (Number.isNaN(atMs)) throw new RangeError('a deadline must be a number of milliseconds');
    const before = this.nextAt;
    if (!timer.pending) {
      timer.place = this.#heap.length;
      this.#heap.push(timer);
    } else if (this.#heap[timer.place] !== timer) {
      throw new TypeError('the timer belongs to another queue');
    }
    timer.at = atMs;
    timer.order = this.#nextOrder++;
    this.#settle(timer);
    if (before === undefined || atMs < before) this.onEarlier?.();
  }

  /** Takes a timer out; nothing happens when it is not pending. */
  cancel(timer: Timer): void {
    const place = timer.place;
    if (place === NOT_QUEUED) return;
    if (this.#heap[place] !== timer) throw new TypeError('the timer belongs to another queue');
    timer.place = NOT_QUEUED;
    const last = this.#heap.pop()!;
    if (last === timer) return;
    this.#heap[place] = last;
    last.place = place;
    this.#settle(last);
  }

  /**
   * Runs what is due at `nowMs`, the earliest first, and returns how many that were: at most `max`, and never more
   * than were pending at the start, so that a callback that queues itself again at once cannot hold the loop.
   */
  run(nowMs: number, max = Number.POSITIVE_INFINITY): number {
    const limit = Math.min(max, this.#heap.length);
    let count = 0;
    while (count < limit) {
      const timer = this.#heap[0];
      if (timer === undefined || timer.at > nowMs) break;
      this.cancel(timer);
      count++;
      timer.callback();
    }
    return count;
  }

  /** Moves a timer up or down until its parent is earlier and its children are later. */
  #settle(timer: Timer): void {
    const heap = this.#heap;
    let place = timer.place;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const parent = heap[up]!;
      if (!isBefore(timer, parent)) break;
      heap[place] = parent;
      parent.place = place;
      place = up;
    }
    for (;;) {
      let down = 2 * place + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1]!, heap[down]!)) down++;
      const child = heap[down]!;
      if (!isBefore(child, timer)) break;
      heap[place] = child;
      child.place = place;
      place = down;
    }
    heap[place] = timer;
    timer.place = place;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
