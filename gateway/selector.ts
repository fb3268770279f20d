/**
 * Readiness of many sources and channels in one wait, as select(2), Python's `selectors` and Java NIO's `Selector`
 * have it, over the edges that Node's streams report.
 *
 * ```
 *   edge ('readable', 'drain', a connection, an error)
 *     ↓ onEdge: mark, nothing else
 *   candidates ──── select: compute the level, masked by interest ───→ ready keys
 *     ↑                              │ not ready: forgotten until its next edge
 *     └───────── still ready ────────┘
 * ```
 *
 * Level-triggered: a key stays a candidate, and is reported again, until its level is gone. The work of a turn goes by
 * the number of ready keys, never by the number of registered ones.
 */
import { ERROR, READ, type Selectable, WRITE } from './sources/source.ts';

/** setTimeout takes no more; a longer wait ends early with nothing ready, which a caller has to bear with anyway. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** One registration. */
export class SelectionKey<A> {
  readonly selectable: Selectable;
  /** Whatever the owner wants to find again when the key is ready. */
  readonly attachment: A;
  /** READ and WRITE bits wanted; changed by `Selector.modify`. */
  interest: number;
  /** What the last `select` found: bits of the interest, and ERROR. 0 once the key is unregistered. */
  ready = 0;
  registered = true;
  /** For the selector alone: whether it is among the candidates. */
  marked = false;
  #more = false;
  readonly #mark: () => void;

  constructor(selectable: Selectable, interest: number, attachment: A, enqueue: (key: SelectionKey<A>) => void) {
    this.selectable = selectable;
    this.attachment = attachment;
    this.interest = interest;
    this.#mark = () => enqueue(this);
    selectable.onEdge = this.#mark;
  }

  /** The owner has undone work in buffers of its own: the key counts as READ-ready while READ is in its interest. */
  get more(): boolean {
    return this.#more;
  }

  set more(more: boolean) {
    this.#more = more;
    if (more) this.#mark();
  }

  /** The present level. */
  level(): number {
    return (this.selectable.ready | (this.#more ? READ : 0)) & (this.interest | ERROR);
  }
}

export class Selector<A> {
  /** Keys that may be ready, in the order in which they will be looked at; two arrays that take turns. */
  #candidates: SelectionKey<A>[] = [];
  #spare: SelectionKey<A>[] = [];
  readonly #found: SelectionKey<A>[] = [];
  #size = 0;
  #woken = false;
  /** Ends the wait in progress. */
  #resolve: ((keys: readonly SelectionKey<A>[]) => void) | undefined;
  #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timedOut = false;
  #lookScheduled = false;

  /** How many keys are registered. */
  get size(): number {
    return this.#size;
  }

  /** Whether a `select` is in progress. */
  get selecting(): boolean {
    return this.#resolve !== undefined;
  }

  /** Watches a source or channel for the bits of `interest`; errors are reported in any case. */
  register(selectable: Selectable, interest: number, attachment: A): SelectionKey<A> {
    checkInterest(interest);
    if (selectable.onEdge !== undefined) throw new TypeError(`${selectable.id} is registered already`);
    const key = new SelectionKey(selectable, interest, attachment, this.#enqueue);
    this.#size++;
    this.#enqueue(key);
    return key;
  }

  /** Changes what a key waits for. Leaving READ out is backpressure: the peer is slowed down by its transport. */
  modify(key: SelectionKey<A>, interest: number): void {
    checkInterest(interest);
    if (!key.registered) throw new TypeError(`${key.selectable.id} is not registered`);
    key.interest = interest;
    this.#enqueue(key);
  }

  /** Forgets a key; also in the middle of a turn, where its `ready` becomes 0. Again for the same key: nothing. */
  unregister(key: SelectionKey<A>): void {
    if (!key.registered) return;
    key.registered = false;
    key.ready = 0;
    key.selectable.onEdge = undefined;
    this.#size--;
  }

  /**
   * Waits until something is ready, `timeoutMs` has passed (undefined: for ever; 0: only looks), or `wakeup` is
   * called. The array is used again by the next `select`, so do not keep it; the key that comes first changes from
   * turn to turn. It always lets the event loop turn once, so that whatever arrived meanwhile is in the same result.
   */
  select(timeoutMs: number | undefined): Promise<readonly SelectionKey<A>[]> {
    return new Promise((resolve) => {
      if (this.#resolve !== undefined) throw new TypeError('select is in progress already');
      if (Number.isNaN(timeoutMs)) throw new RangeError('timeoutMs must be a number or undefined');
      this.#resolve = resolve;
      this.#timeoutMs = timeoutMs;
      this.#timedOut = timeoutMs !== undefined && timeoutMs <= 0;
      if (this.#candidates.length > 0 || this.#woken || this.#timedOut) this.#scheduleLook();
      else this.#startTimer();
    });
  }

  /** Ends the `select` in progress, or else the next one, with what is ready by then, perhaps nothing. */
  wakeup(): void {
    this.#woken = true;
    if (this.#resolve !== undefined) this.#scheduleLook();
  }

  readonly #enqueue = (key: SelectionKey<A>): void => {
    if (key.marked || !key.registered) return;
    key.marked = true;
    this.#candidates.push(key);
    if (this.#resolve !== undefined) this.#scheduleLook();
  };

  /** Once the I/O events of this turn of the event loop are through, not at the first of them. */
  #scheduleLook(): void {
    if (this.#lookScheduled) return;
    this.#lookScheduled = true;
    setImmediate(this.#look);
  }

  #startTimer(): void {
    if (this.#timeoutMs === undefined || this.#timeoutMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(this.#onTimeout, Math.min(Math.ceil(this.#timeoutMs), MAX_TIMEOUT_MS));
  }

  readonly #onTimeout = (): void => {
    this.#timer = undefined;
    this.#timedOut = true;
    // Timers run before the poll for I/O: what has arrived at the same moment comes with this turn.
    this.#scheduleLook();
  };

  readonly #look = (): void => {
    this.#lookScheduled = false;
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    const found = this.#collect();
    if (found.length === 0 && !this.#woken && !this.#timedOut) {
      if (this.#timer === undefined) this.#startTimer();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#woken = false;
    this.#resolve = undefined;
    resolve(found);
  };

  /** Computes the levels, one key further on than the last time, and keeps those that are ready as candidates. */
  #collect(): readonly SelectionKey<A>[] {
    const candidates = this.#candidates;
    const kept = this.#spare;
    const found = this.#found;
    found.length = 0;
    const count = candidates.length;
    for (let i = 1; i <= count; i++) {
      const key = candidates[i === count ? 0 : i]!;
      const level = key.registered ? key.level() : 0;
      key.ready = level;
      if (level === 0) {
        key.marked = false;
      } else {
        kept.push(key);
        found.push(key);
      }
    }
    candidates.length = 0;
    this.#candidates = kept;
    this.#spare = candidates;
    return found;
  }
}

function checkInterest(interest: number): void {
  if ((interest & ~(READ | WRITE | ERROR)) !== 0) throw new RangeError(`no such interest: ${interest}`);
}
