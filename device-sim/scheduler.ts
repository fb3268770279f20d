/**
 * One ordered queue of what is due when, and one timer of the platform at its head: five thousand devices cost no more
 * timers than one.
 *
 * A binary heap over `dueMs`; each task knows its place in it, so moving or cancelling one is a sift, not a search.
 */

/** Something to be done at a time. Made by `task`; it may be scheduled again from within its own `run`. */
export interface Task {
  readonly run: (nowMs: number) => void;
  /** When it is due, on the scheduler's clock; meaningless while `place` is -1. */
  dueMs: number;
  /** Its place in the heap, -1 when not scheduled. */
  place: number;
}

/** How many tasks run before sockets get their turn. */
const TASKS_A_TURN = 500;
/** The longest wait setTimeout can express. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

export function task(run: (nowMs: number) => void): Task {
  return { run, dueMs: 0, place: -1 };
}

export class Scheduler {
  readonly #heap: Task[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  /** Milliseconds on a monotonic clock. */
  now(): number {
    return performance.now();
  }

  /** Has `task` run at `dueMs` (or as soon as possible when that is past); replaces its earlier time. */
  at(task: Task, dueMs: number): void {
    task.dueMs = dueMs;
    if (task.place === -1) {
      task.place = this.#heap.length;
      this.#heap.push(task);
    }
    this.#siftUp(task.place);
    this.#siftDown(task.place);
    this.#arm();
  }

  /** Takes `task` out; nothing happens when it is not scheduled. */
  cancel(task: Task): void {
    const place = task.place;
    if (place === -1) return;
    task.place = -1;
    const last = this.#heap.pop() as Task;
    if (last === task) return;
    this.#heap[place] = last;
    last.place = place;
    this.#siftUp(place);
    this.#siftDown(last.place);
  }

  /** Forgets everything, so that the process can end. */
  stop(): void {
    for (const task of this.#heap) task.place = -1;
    this.#heap.length = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  #run(): void {
    this.#timer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    let now = this.now();
    for (let ran = 0; ran < TASKS_A_TURN; ran++) {
      const head = this.#heap[0];
      if (head === undefined || head.dueMs > now) break;
      this.cancel(head);
      head.run(now);
      now = this.now();
    }
    this.#arm();
  }

  #arm(): void {
    const head = this.#heap[0];
    if (head === undefined || head.dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = head.dueMs;
    const waitMs = Math.min(MAX_TIMEOUT_MS, Math.max(0, Math.ceil(head.dueMs - this.now())));
    this.#timer = setTimeout(() => this.#run(), waitMs);
  }

  #siftUp(start: number): void {
    const task = this.#heap[start] as Task;
    let place = start;
    while (place > 0) {
      const parent = this.#heap[(place - 1) >> 1] as Task;
      if (parent.dueMs <= task.dueMs) break;
      this.#put(parent, place);
      place = (place - 1) >> 1;
    }
    this.#put(task, place);
  }

  #siftDown(start: number): void {
    const task = this.#heap[start] as Task;
    let place = start;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= this.#heap.length) break;
      const right = this.#heap[child + 1];
      if (right !== undefined && right.dueMs < (this.#heap[child] as Task).dueMs) child += 1;
      const least = this.#heap[child] as Task;
      if (least.dueMs >= task.dueMs) break;
      this.#put(least, place);
      place = child;
    }
    this.#put(task, place);
  }

  #put(task: Task, place: number): void {
    this.#heap[place] = task;
    task.place = place;
  }
}
