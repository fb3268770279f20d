/**
 * Maps a device's uptime to wall time.
 *
 * A device counts milliseconds since its start in 32 bits, which wrap after 49.7 days. What is kept is one pair: its
 * uptime and our monotonic clock at the same moment. Differences are taken modulo 2^32, and our wall clock is applied
 * last, so that a step of the wall clock moves no reading against another of the same moment.
 */
const WRAP = 2 ** 32;

export class DeviceClock {
  readonly #uptimeMs: number;
  readonly #monotonicMs: number;

  /** `uptimeMs` (u32) as the device said it when our monotonic clock was at `monotonicMs`. */
  constructor(uptimeMs: number, monotonicMs: number) {
    this.#uptimeMs = uptimeMs;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * How many milliseconds ago the device's clock showed `uptimeMs`. Never negative: a device whose clock runs a little
   * fast does not date readings into the future.
   */
  ageMs(uptimeMs: number, monotonicMs: number): number {
    const uptimeNow = this.#uptimeMs + (monotonicMs - this.#monotonicMs);
    const age = (((uptimeNow - uptimeMs) % WRAP) + WRAP) % WRAP;
    // More than half the range is a moment slightly ahead of our estimate, not one 25 days ago.
    return age >= WRAP / 2 ? 0 : age;
  }
}
