/**
 * The time of day, without the leaps of the system's.
 *
 * ```
 *   system clock     ────────┐          ┌─────────  a leap of a day, and back
 *                            └──────────┘
 *   this clock       ─────────────────────────────  monotonic clock + offset
 * ```
 *
 * Samples are dated by the monotonic clock, and the offset comes last: so the readings of a device keep their distance
 * when the system clock leaps. Small differences are followed slowly. A leap is followed when it has lasted for a
 * minute, which tells a correction from a mishap; at once when it leads from an impossible date to a possible one, as on
 * a machine without a battery that has just found its time server; never when it leads the other way.
 */
export interface WallClockOptions {
  /** Unix milliseconds of the system. */
  readonly system: () => number;
  /** Monotonic milliseconds, which may stand still while the machine sleeps. */
  readonly monotonic: () => number;
  /** Milliseconds since the machine was started, its sleep included. */
  readonly sinceBoot: () => number;
  /** The offset has leapt by so many milliseconds. */
  readonly onStep?: (byMs: number) => void;
}

/** How often `check` is to be called. */
export const CHECK_MS = 1_000;
/** 2024-01-01: this program is younger than any right date before. */
const FIRST_POSSIBLE = 1_704_067_200_000;
/** A larger difference is a leap; a smaller one is followed by at most SLEW_MS a check. */
const LEAP_MS = 200;
const SLEW_MS = 1;
const BELIEVED_AFTER_MS = 60_000;

export class WallClock {
  /** Leaps followed. */
  steps = 0;
  readonly #options: WallClockOptions;
  #offset: number;
  /** How much longer the machine runs than the monotonic clock says. */
  #asleep: number;
  /** A leap that was seen and is not believed yet. */
  #leap: { readonly byMs: number; readonly since: number } | undefined;

  constructor(options: WallClockOptions) {
    this.#options = options;
    this.#offset = options.system() - options.monotonic();
    this.#asleep = options.sinceBoot() - options.monotonic();
  }

  /** Unix milliseconds, a whole number. */
  now(): number {
    return this.at(this.#options.monotonic());
  }

  /** Unix milliseconds of a moment of the monotonic clock. */
  at(monotonicMs: number): number {
    return Math.round(monotonicMs + this.#offset);
  }

  /** Compares itself with the system's clock. */
  check(): void {
    const { system, monotonic, sinceBoot } = this.#options;
    const now = monotonic();
    const asleep = sinceBoot() - now;
    // Time that has really passed while the machine slept is no leap.
    if (asleep - this.#asleep > LEAP_MS) this.#step(asleep - this.#asleep);
    this.#asleep = asleep;

    const ours = now + this.#offset;
    const theirs = system();
    const byMs = theirs - ours;
    if (Math.abs(byMs) <= LEAP_MS) {
      this.#leap = undefined;
      this.#offset += Math.max(-SLEW_MS, Math.min(SLEW_MS, byMs));
    } else if (theirs < FIRST_POSSIBLE && ours >= FIRST_POSSIBLE) {
      this.#leap = undefined;
    } else if (ours < FIRST_POSSIBLE && theirs >= FIRST_POSSIBLE) {
      this.#step(byMs);
    } else if (this.#leap === undefined || Math.abs(byMs - this.#leap.byMs) > LEAP_MS) {
      this.#leap = { byMs, since: now };
    } else if (now - this.#leap.since >= BELIEVED_AFTER_MS) {
      this.#step(byMs);
    }
  }

  #step(byMs: number): void {
    this.#leap = undefined;
    this.#offset += byMs;
    this.steps++;
    this.#options.onStep?.(Math.round(byMs));
  }
}
