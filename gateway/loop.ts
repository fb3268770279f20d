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
  readonly #clock: () => number;
  #turnMs = 0;
  #inTurn = false;
  #running = false;
  #turns = 0;
  readonly #awaitingTurn: (() => void)[] = [];

  /** `clock`: monotonic milliseconds; a test may have one of its own, and calls `wakeup` when it has moved it. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    // A deadline set between turns may be earlier than the one that select waits for.
    this.timers.onEarlier = () => this.wakeup();
  }

  /**
   * Monotonic milliseconds: within a turn those of its beginning, so that all that happens in it happens at once. For
   * whoever asks between turns (a command from the broker) those of now: the last turn may be long ago.
   */
  now(): number {
    return this.#inTurn ? this.#turnMs : this.#clock();
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

  /** Sees to it that a turn ends soon: ends the wait for the next one. In the middle of a turn there is nothing to do. */
  wakeup(): void {
    if (this.#selector.selecting) this.#selector.wakeup();
  }

  /** Resolves at the end of the next turn, and sees to it that there is one soon: whoever watches over the loop asks so. */
  turned(): Promise<void> {
    return new Promise((resolve) => {
      this.#awaitingTurn.push(resolve);
      this.wakeup();
    });
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    this.#running = true;
    while (this.#running) {
      const next = this.timers.nextAt;
      const timeoutMs = next === undefined ? undefined : Math.max(0, next - this.#clock());
      const ready = await this.#selector.select(timeoutMs);
      this.#turnMs = this.#clock();
      this.#inTurn = true;
      this.#turns++;
      for (const key of ready) {
        // One that was served before in this turn may have ended another.
        if (key.registered) key.attachment.onReady(key.ready);
      }
      this.timers.run(this.#turnMs, MAX_TIMERS_PER_TURN);
      for (const step of this.#endOfTurn) step();
      this.#inTurn = false;
      if (this.#awaitingTurn.length > 0) for (const resolve of this.#awaitingTurn.splice(0)) resolve();
    }
  }

  /** Ends `run` after the present turn. */
  stop(): void {
    this.#running = false;
    this.#selector.wakeup();
  }
}
