/**
 * Maps a device's uptime to our monotonic clock.
 *
 * ```
 *   uptime of a sample ─→ age: how long ago, on the monotonic clock ─→ wall clock, applied last
 * ```
 *
 * A device counts milliseconds since its start in 32 bits, which wrap after 49.7 days. What is kept is one pair: its
 * uptime and our monotonic clock at the same moment. Differences are taken modulo 2^32. The pair stays for as long as
 * it may be right, also over sessions, so that all samples of a boot keep their distance: what is said late, because
 * the way was slow, changes nothing; what is ahead of our estimate shows that the estimate was made late.
 */
const WRAP = 2 ** 32;
/** A HELLO or REPORT of a device that goes on may have been under way for so long. */
const SLOW_MS = 250;
/** Ahead by more than this, and by more than a bad quartz makes of the time since, is nonsense or another boot. */
const AHEAD_MS = 1_000;
const DRIFT = 0.001;

export class DeviceClock {
  readonly #uptimeMs: number;
  #monotonicMs: number;

  /** `uptimeMs` (u32) as the device said it when our monotonic clock was at `monotonicMs`. */
  constructor(uptimeMs: number, monotonicMs: number) {
    this.#uptimeMs = uptimeMs;
    this.#monotonicMs = monotonicMs;
  }

  /** The clock of a device that has just said its uptime: `known`, if it can still be right, else a new one. */
  static heard(known: DeviceClock | undefined, uptimeMs: number, monotonicMs: number): DeviceClock {
    const late = known?.ageMs(uptimeMs, monotonicMs) ?? Number.POSITIVE_INFINITY;
    if (known === undefined || late > SLOW_MS || !known.notAhead(late, monotonicMs)) {
      return new DeviceClock(uptimeMs, monotonicMs);
    }
    return known;
  }

  /**
   * How many milliseconds ago the device's clock showed `uptimeMs`. Negative when that is ahead of our estimate: see
   * `notAhead`.
   */
  ageMs(uptimeMs: number, monotonicMs: number): number {
    const uptimeNow = this.#uptimeMs + (monotonicMs - this.#monotonicMs);
    const age = (((uptimeNow - uptimeMs) % WRAP) + WRAP) % WRAP;
    // More than half the range is a moment ahead of our estimate, not one 25 days ago.
    return age >= WRAP / 2 ? age - WRAP : age;
  }

  /**
   * Nothing comes from the future: an age below 0 shows that our estimate was late, and it is moved. False when it is so
   * far below that it shows nothing.
   */
  notAhead(ageMs: number, monotonicMs: number): boolean {
    if (ageMs >= 0) return true;
    if (-ageMs > AHEAD_MS + (monotonicMs - this.#monotonicMs) * DRIFT) return false;
    this.#monotonicMs += ageMs;
    return true;
  }
}
