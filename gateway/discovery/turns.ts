/**
 * Devices whose turn comes later, a few at a time: a fleet must not fill the connection at once.
 */
import type { Device } from '../devices/device.ts';

/** So many in one go, and the pause until the next. */
const PER_STEP = 10;
const STEP_MS = 200;

export class Turns {
  /** When each is due, by the monotonic clock. */
  readonly #due = new Map<Device, number>();
  readonly #take: (device: Device) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(take: (device: Device) => void) {
    this.#take = take;
  }

  /** Who waits already does not wait longer. */
  add(device: Device, inMs: number): void {
    const at = performance.now() + inMs;
    this.#due.set(device, Math.min(at, this.#due.get(device) ?? at));
    this.#timer ??= setTimeout(() => this.#step(), inMs).unref();
  }

  delete(device: Device): void {
    this.#due.delete(device);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due.clear();
  }

  #step(): void {
    this.#timer = undefined;
    const now = performance.now();
    let taken = 0;
    for (const [device, at] of this.#due) {
      if (taken === PER_STEP) break;
      // Timers may come a millisecond early.
      if (at > now + 1) continue;
      this.#due.delete(device);
      taken++;
      this.#take(device);
    }
    if (this.#due.size > 0) this.#timer ??= setTimeout(() => this.#step(), STEP_MS).unref();
  }
}
