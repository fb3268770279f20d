/**
 * The one loop: wait until something is ready or due, serve it, end the turn.
 *
 * ```
 *   ┌→ select(until the next deadline) ─→ serve each ready key ─→ run due deadlines ─→ end of turn ─┐
 *   └───────────────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * What is worth doing once for all that a turn brought (commit the journal, send ACKs, flush to the broker) is done at
 * the end of the turn: that is what makes many small frames cheap.
 */
import { performance } from 'node:perf_hooks';
import { type SelectionKey, Selector } from './selector.ts';
import type { Selectable } from './sources/source.ts';
import { TimerQueue } from './timers.ts';

/** Whoever serves a ready channel or source. */
export interface Handler {
  onReady(ready: number): void;
}

/** Deadlines run in one turn at the most; the rest comes in the next. */
const MAX_TIMERS_PER_TURN = 1_000;

export class Loop {
  readonly timers = new TimerQueue();
  readonly #selector = new Selector<Handler>();
  readonly #endOfTurn: (() => void)[] = [];
  #nowMs = performance.now();
  #running = false;
  #turns = 0;

  constructor() {
    // A deadline set between turns may be earlier than the one that select waits for.
    this.timers.onEarlier = () => {
      if (this.#selector.selecting) this.#selector.wakeup();
    };
  }

  /** Monotonic milliseconds at the beginning of the present turn. */
  now(): number {
    return this.#nowMs;
  }

  /** Turns since the start. */
  get turns(): number {
    return this.#turns;
  }

  register(selectable: Selectable, interest: number, handler: Handler): SelectionKey<Handler> {
    return this.#selector.register(selectable, interest, handler);
  }

  modify(key: SelectionKey<Handler>, interest: number): void {
    this.#selector.modify(key, interest);
  }

  unregister(key: SelectionKey<Handler>): void {
    this.#selector.unregister(key);
  }

  /** Adds a step to the end of every turn; steps run in the order in which they were added. */
  atEndOfTurn(step: () => void): void {
    this.#endOfTurn.push(step);
  }

  /** Makes the present or next `select` return at once, so that a turn ends soon. */
  wakeup(): void {
    this.#selector.wakeup();
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    this.#running = true;
    while (this.#running) {
      const next = this.timers.nextAt;
      const timeoutMs = next === undefined ? undefined : Math.max(0, next - performance.now());
      const ready = await this.#selector.select(timeoutMs);
      this.#nowMs = performance.now();
      this.#turns++;
      for (const key of ready) {
        // One that was served before in this turn may have ended another.
        if (key.registered) key.attachment.onReady(key.ready);
      }
      this.timers.run(this.#nowMs, MAX_TIMERS_PER_TURN);
      for (const step of this.#endOfTurn) step();
    }
  }

  /** Ends `run` after the present turn. */
  stop(): void {
    this.#running = false;
    this.#selector.wakeup();
  }
}
