/**
 * The carriers that are not read because the way onward is full, in the order in which they began to wait.
 *
 * If all of them went on at once when there is room, those that happen to be served first would fill the journal again
 * and again, and the others would starve: so some go on at a turn, and who has waited the longest goes first.
 */
import type { Journal } from '../../journal/journal.ts';

const MAX_RESUMED_PER_TURN = 64;

/** A carrier of link sessions, or a line of devices with a profile. */
export interface Pausable {
  pause(paused: boolean): void;
}

export class PausedCarriers {
  readonly #journal: Journal;
  readonly #paused = new Set<Pausable>();
  /** Those whose turn it is now. */
  readonly #resumed = new Set<Pausable>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Whether the carrier has to stop reading now; it is told by `pause(false)` when it may go on. */
  mustWait(carrier: Pausable): boolean {
    const { full } = this.#journal;
    if (!full && this.#paused.size === 0) return false;
    // Who waits already comes first, and keeps its place until it is served.
    if (full || !this.#resumed.has(carrier)) {
      this.#paused.add(carrier);
      return true;
    }
    this.#paused.delete(carrier);
    return false;
  }

  /** Lets those go on that have waited the longest; to be called when there is room, and at the end of each turn. */
  resume(): void {
    if (this.#paused.size === 0) return;
    this.#resumed.clear();
    if (this.#journal.full) return;
    for (const carrier of this.#paused) {
      if (this.#resumed.size === MAX_RESUMED_PER_TURN) return;
      this.#resumed.add(carrier);
      carrier.pause(false);
    }
  }

  /** A carrier that is gone waits for nothing any more. */
  forget(carrier: Pausable): void {
    this.#paused.delete(carrier);
    this.#resumed.delete(carrier);
  }
}
